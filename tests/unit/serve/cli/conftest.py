"""Runs commands in this process."""

import io
import sys
from pathlib import Path

import pytest

from serve.__main__ import main
from tests.support.commands import Command
from tests.support.server import environment


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `python -m serve` with these arguments; return its exit code, output and errors."""
    for name, value in environment(state=tmp_path).items():
        monkeypatch.setenv(name, value)

    def run(line: str, *more: str, stdin: str = "correct horse\n") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        code = main([*line.split(), *more])
        output = capsys.readouterr()
        return code, output.out, output.err

    return run
