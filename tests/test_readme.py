"""The README's tour, pasted from top to bottom into a shell; and what else it claims."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.server import ROOT, environment, free_port, unmeasured

# It trains two models and starts a server twice.
pytestmark = pytest.mark.timeout(300)

README = (ROOT / "README.md").read_text()
TOUR = README.partition("## A five-minute tour")[2].partition("\n## ")[0]


def blocks(kind: str) -> list[str]:
    """The fenced blocks of the tour that are marked so."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", TOUR, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the tour prints, in a copy of the project with nothing made yet but the environment."""
    here = tmp_path_factory.mktemp("tour")
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "artifacts", "train", "serve"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, here / name)
    shutil.rmtree(here / "artifacts" / "models", ignore_errors=True)
    _share_environment(here / ".venv")
    return _paste("\n".join(blocks("sh")), here)


def _share_environment(folder: Path) -> None:
    """Make the environment that runs the tests another folder's, with a stamp of its own: nothing is installed."""
    folder.mkdir()
    for path in (ROOT / ".venv").iterdir():
        if not path.name.startswith(".complete"):
            (folder / path.name).symlink_to(path)
    (folder / ".complete").touch()


@unmeasured()
def _paste(script: str, here: Path) -> str:
    port = str(free_port())
    # As a reader has it, whom no test gave a key.
    env = environment(port=port, signing_key="", trusted_keys="")
    script = "set -euo pipefail\n" + script.replace("8000", port)
    shell = subprocess.Popen(
        ["bash"],
        cwd=here,
        env=env,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        printed, _ = shell.communicate(script, timeout=240)
    finally:
        # Whatever the tour left running goes with its session.
        if _is_alive(shell.pid):
            os.killpg(shell.pid, signal.SIGKILL)
    assert shell.returncode == 0, printed
    return printed


def _is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _rounded(text: str) -> str:
    """The same text, its numbers to nine digits: the last ones are the processor's affair."""
    return re.sub(r"[0-9]+\.[0-9]+(e-?[0-9]+)?", lambda number: f"{float(number[0]):.9f}", text)


@pytest.mark.parametrize("expected", blocks("json") + blocks("csv"))
def test_the_tour_prints_what_it_shows(output: str, expected: str) -> None:
    """Every answer that the README shows is what a reader gets."""
    assert _rounded(expected.strip()) in _rounded(output)


def test_the_tour_logs_its_user_in_and_lists_its_model(output: str) -> None:
    """The user who was added gets a token of their scopes, and the model that was published is listed."""
    assert '"scope":"batch predict"' in output
    assert "published wine version 1" in output
    assert re.search(r"^wine +1 +champion", output, re.MULTILINE)
