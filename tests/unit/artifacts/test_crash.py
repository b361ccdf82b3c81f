"""Publishers that are killed, and concurrent publishers: a reader never sees an incomplete version."""

import signal
from pathlib import Path
from typing import Any

import pytest

from artifacts import Store
from tests.support import publisher_processes, tiny_models


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """A store whose publisher was killed fifty times at random moments, and its state after each time."""
    root = tmp_path_factory.mktemp("killed")
    return root, publisher_processes.ask("kill", root)


def test_publishers_were_killed_while_they_published(killed: tuple[Path, list[dict[str, Any]]]) -> None:
    """Fifty publishers ended by the signal, some within a version, so the other tests see incomplete versions."""
    _, (first, *states) = killed

    assert [state["died_of"] for state in states] == [signal.SIGKILL] * 50
    assert any(state["staged"] for state in states)
    assert len(states[-1]["versions"]) > len(first["versions"])


def test_an_incomplete_version_would_be_reported(tmp_path: Path) -> None:
    """The check after each kill reports a version of which a file is missing."""
    for _ in range(2):
        tiny_models.make().publish(Store(tmp_path))
    (tmp_path / "tiny" / "1" / "labels.json").unlink()

    assert publisher_processes.state(tmp_path, known=set())["broken"] == [1]


def test_the_champion_always_loads(killed: tuple[Path, list[dict[str, Any]]]) -> None:
    """After each kill every version in the store loads and predicts."""
    _, states = killed

    assert all(state["models"] == ["tiny"] for state in states)
    assert [state["broken"] for state in states] == [[]] * 51
    assert all(state["champion"] in state["versions"] for state in states)


def test_no_kill_loses_a_version(killed: tuple[Path, list[dict[str, Any]]]) -> None:
    """Version numbers have no gap, the champion only grows, and at most one abandoned folder is left."""
    _, states = killed

    champions = [state["champion"] for state in states]
    assert champions == sorted(champions)
    assert all(state["versions"] == list(range(1, len(state["versions"]) + 1)) for state in states)
    assert all(state["staged"] <= 1 for state in states)


def test_the_next_publication_needs_no_repair(killed: tuple[Path, list[dict[str, Any]]]) -> None:
    """The lock is free, the temporary folder is removed, and the publication succeeds."""
    root, states = killed

    manifest = tiny_models.make().publish(Store(root))

    assert manifest.version == len(states[-1]["versions"]) + 1
    assert Store(root).resolve("tiny") == manifest.version
    assert list((root / "tiny").glob(".staging-*")) == []


def test_publishers_at_the_same_time_take_turns(tmp_path: Path) -> None:
    """Every publication of every process succeeds, with a version of its own."""
    codes = publisher_processes.ask("race", tmp_path)

    store = Store(tmp_path)
    assert codes == [0] * publisher_processes.PUBLISHERS
    assert store.versions("tiny") == list(range(1, publisher_processes.PUBLISHERS * publisher_processes.EACH + 1))
    assert [store.load("tiny", version).manifest.version for version in store.versions("tiny")] == store.versions(
        "tiny"
    )
    assert store.resolve("tiny") == publisher_processes.PUBLISHERS * publisher_processes.EACH
