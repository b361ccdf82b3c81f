"""python -m artifacts: exit codes, errors and settings."""

import os
import subprocess
import sys
import warnings
from functools import partial
from pathlib import Path

import pytest

from artifacts import Store
from artifacts.manifest import Execution, Training
from tests.support import tiny_models
from tests.support.server import ROOT, environment, run
from tests.support.store_commands import call
from tests.support.version_folders import put

_EVIL = "\x1b[2J\x1b[31mEVIL\x1b[0m\r\nsigned by   key 0123\u202e\x9b1A"


@pytest.mark.parametrize(
    "promised",
    [
        {"requires": (_EVIL,)},
        {"execution": Execution(candidates=(), choice={1: _EVIL, 9: f"{_EVIL}2"})},
        {"estimator": _EVIL},
        {"model": _EVIL},
        {"libraries": {_EVIL: _EVIL, "python": _EVIL}},
        {"scores": {_EVIL: 1.0}},
        {"classes": (_EVIL, "long")},
        {"training": Training(rows=6, source=_EVIL, target=_EVIL)},
        {"files": {_EVIL: "0" * 64}},
        {"signature": tiny_models.signature().model_copy(update={"csv_nulls": (_EVIL,)})},
        {
            "signature": tiny_models.signature().model_copy(
                update={"columns": (tiny_models.column(_EVIL, "float64"), tiny_models.column("leaves", "int64"))}
            )
        },
        {
            "signature": {
                "container": "frame",
                "columns": [{**tiny_models.column("a", "int8").model_dump(), "dtype": _EVIL}],
            }
        },
        {"format": _EVIL},
        {"task": _EVIL},
        {"created_at": _EVIL},
        {_EVIL: 1},
    ],
    ids=lambda promised: ascii(next(iter(promised)))[:12],
)
def test_no_command_prints_control_characters_of_a_manifest(
    root: Path, capsys: pytest.CaptureFixture[str], promised: dict[str, object]
) -> None:
    """Signed or not, no text of a manifest can control the terminal or forge a line."""
    folder = root / "tiny" / "1"
    manifest = Store(root).manifest("tiny", 1).model_copy(update=promised)
    with warnings.catch_warnings(action="ignore"):
        document = manifest.model_dump_json().encode()
    for write in ((folder / "manifest.json").write_bytes, partial(put, folder)):
        write(document)
        for command in (["list"], ["show", "tiny@1"], ["show", "tiny@1", "--card"], ["verify"], ["sign", "tiny@1"]):
            call(root, *command)

    shown = "".join(capsys.readouterr())
    assert "EVIL" in shown or "artifact-" in shown
    assert not [line for line in shown.split("\n") if not line.isprintable() or line.startswith("signed by   key 0123")]


@pytest.mark.parametrize("reference", ["ghost", "tiny@3", "tiny@best", "Bad Name"])
@pytest.mark.parametrize("command", ["show", "verify"])
def test_an_unknown_version_is_an_error(
    root: Path, capsys: pytest.CaptureFixture[str], command: str, reference: str
) -> None:
    """One line is printed on stderr, and the exit code is 1."""
    assert call(root, command, reference) == 1

    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1


def test_the_environment_names_the_store(root: Path) -> None:
    """SEPAL_ARTIFACTS names the store, and the exit code of the process is the command's."""
    good = run("artifacts", "verify", env=environment(artifacts=root))
    bad = run("artifacts", "show", "ghost", env=environment(artifacts=root))

    assert (good.returncode, good.stdout.count("  ok  ")) == (0, 2)
    assert (bad.returncode, bad.stderr.strip()) == (1, "artifact-missing: the store has no model 'ghost'")


def test_an_invalid_setting_is_an_error(root: Path) -> None:
    """An invalid key ends the command with one line, which does not contain the key."""
    ended = run("artifacts", "verify", env=environment(artifacts=root, trusted_keys="ed25519:secret"))

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("SEPAL_TRUSTED_KEYS: invalid public key")
    assert len(ended.stderr.splitlines()) == 1
    assert "secret" not in ended.stderr


@pytest.mark.parametrize("command", ["artifacts list", "artifacts --help", "train --help", "serve token"])
def test_a_closed_pipe_causes_no_message(root: Path, command: str) -> None:
    """`| head` ends a command silently."""
    reading, writing = os.pipe()
    os.close(reading)
    env = environment(artifacts=root, state=root.parent / "state")
    ended = subprocess.run(
        [sys.executable, "-m", *command.split()],
        check=False, cwd=ROOT, env=env, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=100,
    )  # fmt: skip
    os.close(writing)

    # argparse ignores what it cannot print.
    assert (ended.returncode in ({0, 141} if "--help" in command else {141}), ended.stderr) == (True, "")
