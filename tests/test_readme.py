"""The README's tour, pasted from top to bottom into a shell; and what else it claims."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.server import ROOT
from tests.support.shell_session import blocks, copy_project, paste, rounded

# It trains two models and starts a server twice.
pytestmark = pytest.mark.timeout(300)

README = (ROOT / "README.md").read_text()
TOUR = README.partition("## A five-minute tour")[2].partition("\n## ")[0]


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the tour prints."""
    here = tmp_path_factory.mktemp("tour")
    copy_project(here)
    return paste("\n".join(blocks(TOUR, "sh")), here)


@pytest.mark.parametrize("expected", blocks(TOUR, "json") + blocks(TOUR, "csv"))
def test_the_tour_prints_what_it_shows(output: str, expected: str) -> None:
    """Every answer that the README shows is what a reader gets."""
    assert rounded(expected.strip()) in rounded(output)


def test_the_tour_logs_its_user_in_and_lists_its_model(output: str) -> None:
    """The user who was added gets a token of their scopes, and the model that was published is listed."""
    assert '"scope":"batch predict"' in output
    assert "published wine version 1" in output
    assert re.search(r"^wine +1 +champion", output, re.MULTILINE)


def test_the_tour_waits_for_its_own_server_only(tmp_path: Path) -> None:
    """Where another server answers on the port, and ours ended for that, the loop prints why and stops."""
    for name, script in {"make": "echo port 8000 is taken; exit 2", "curl": "echo ready"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    ended = subprocess.run(
        ["bash"],
        check=True,
        cwd=tmp_path,
        env=env,
        input=blocks(TOUR, "sh")[0],
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert ended.stdout == "port 8000 is taken\n"
    assert "No such process" in ended.stderr
