"""Run the commands of a document in a shell, from top to bottom, and return what they print."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from tests.support.server import ROOT, environment, free_port, unmeasured


def blocks(text: str, kind: str) -> list[str]:
    """Return the fenced blocks of a kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def copy_project(here: Path) -> None:
    """Copy the project as it is before the first command, with its environment."""
    here.mkdir(exist_ok=True)
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "artifacts", "train", "serve"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, here / name)
    shutil.rmtree(here / "artifacts" / "models", ignore_errors=True)
    _share_environment(here / ".venv")


def _share_environment(folder: Path) -> None:
    """Link the environment that runs the tests into another folder, so that nothing is installed."""
    folder.mkdir()
    for path in (ROOT / ".venv").iterdir():
        if not path.name.startswith(".complete"):
            (folder / path.name).symlink_to(path)
    (folder / ".complete").touch()


@unmeasured()
def paste(script: str, here: Path, **more: str) -> str:
    """
    Run commands in a folder as a reader would, without the signing key of the tests, and return what they print.

    Args:
        script: The commands; the port 8000 in them is replaced by a free one.
        here: The folder.
        more: Variables of the environment.
    """
    port = str(free_port())
    env = {**environment(port=port, signing_key="", trusted_keys=""), **more}
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
        printed, _ = shell.communicate("set -euo pipefail\n" + script.replace("8000", port), timeout=240)
    finally:
        # End all processes of the session that are still running.
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


def rounded(text: str) -> str:
    """Round the numbers of a text to nine digits: the last ones depend on the processor."""
    return re.sub(r"[0-9]+\.[0-9]+(e-?[0-9]+)?", lambda number: f"{float(number[0]):.9f}", text)
