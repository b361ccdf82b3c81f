"""The tour of the README, pasted from top to bottom into a shell."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.server import ROOT
from tests.support.shell_session import blocks, copy_project, paste, rounded

# The tour trains several models and starts a server twice.
pytestmark = pytest.mark.timeout(300)

README = (ROOT / "README.md").read_text()
TOUR = README.partition("## A five-minute tour")[2].partition("\n## ")[0]


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The output of the tour."""
    here = tmp_path_factory.mktemp("tour")
    copy_project(here)
    return paste("\n".join(blocks(TOUR, "sh")), here)


@pytest.mark.parametrize("expected", blocks(TOUR, "json") + blocks(TOUR, "csv"))
def test_the_tour_prints_the_documented_responses(output: str, expected: str) -> None:
    """Every response in the README is what a reader gets."""
    assert rounded(expected.strip()) in rounded(output)


def test_the_tour_adds_a_user_and_publishes_a_model(output: str) -> None:
    """The new user gets a token with the requested scopes, and the published model is listed."""
    assert '"scope":"batch predict"' in output
    assert "published wine version 1" in output
    assert re.search(r"^wine +1 +champion", output, re.MULTILINE)


def test_the_tour_waits_only_for_its_own_server(tmp_path: Path) -> None:
    """If another server uses the port, so that the new one exits, the loop prints the log and stops."""
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
