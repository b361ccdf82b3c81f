"""Commands whose output is read by a pipe that may be closed early."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from artifacts.output import piped, unbroken
from tests.support.server import ROOT, environment


@pytest.fixture
def closed_pipe() -> Iterator[int]:
    """The writing end of a pipe that nothing reads."""
    import os

    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.parametrize(("name", "code", "errors"), [("piped", 141, ""), ("unbroken", 7, "done")])
def test_a_reader_that_closes_the_pipe_causes_no_traceback(closed_pipe: int, name: str, code: int, errors: str) -> None:
    """`piped` ends the command as SIGPIPE would; `unbroken` runs it to its end and returns its exit code."""
    program = (
        "import sys\n"
        f"from artifacts.output import {name}\n"
        "def command():\n"
        "    for _ in range(10_000): print('line')\n"
        "    print('done', end='', file=sys.stderr)\n"
        "    return 7\n"
        f"sys.exit({name}(command))\n"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT, env=environment(), stdout=closed_pipe, stderr=subprocess.PIPE, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert (ended.returncode, ended.stderr) == (code, errors)


@pytest.mark.parametrize("run", [piped, unbroken])
def test_the_exit_code_is_that_of_the_command(capsys: pytest.CaptureFixture[str], run: object) -> None:
    """Output that is read is printed as usual."""

    def command() -> int:
        print("line")
        return 3

    assert callable(run)
    assert run(command) == 3
    assert capsys.readouterr().out == "line\n"
