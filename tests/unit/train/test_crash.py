"""The whole of `publish`, killed at random moments."""

import signal
from pathlib import Path
from typing import Any

import pytest

from artifacts import Store
from tests.support import publisher_processes


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """A store whose publisher was killed five times, and its state before and after each."""
    root = tmp_path_factory.mktemp("killed")
    return root, publisher_processes.ask("kill-train", root)


def test_a_killed_publish_leaves_the_former_state_or_the_next(killed: tuple[Path, list[dict[str, Any]]]) -> None:
    """Killed at any step, the champion loads, and no version is incomplete."""
    root, (first, *states) = killed

    assert [state["died_of"] for state in states] == [signal.SIGKILL] * 5
    assert [state["broken"] for state in (first, *states)] == [[]] * 6
    assert all(state["models"] == ["tiny"] and state["champion"] in state["versions"] for state in states)
    assert Store(root).versions("tiny") == list(range(1, len(states[-1]["versions"]) + 1))
