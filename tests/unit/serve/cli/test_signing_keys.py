"""python -m serve signing-keys: the keys in SEPAL_TOKEN_KEYS."""

from pathlib import Path

import pytest

from serve.auth.signing_keys import load, save
from tests.support.commands import Command
from tests.support.keys import SECRET, own_keys

CURVE, PAIR, KEPT_SECRET = own_keys()


@pytest.fixture
def file(tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the keys, which does not exist yet; the deployment also has a secret."""
    file = tmp_path / "keys.json"
    monkeypatch.setenv("SEPAL_TOKEN_KEYS", str(file))
    monkeypatch.setenv("SEPAL_SECRET_KEY", SECRET)
    return file


def test_commands_rotate_from_the_secret_to_a_key(command: Command, file: Path) -> None:
    """A new file begins with the secret, which continues to sign; then a key is used and the secret retired."""
    kid = command("signing-keys add ES256")[1].strip()
    begun = command("signing-keys list")[1]
    early = command(f"signing-keys retire {KEPT_SECRET.kid}")
    used = command(f"signing-keys use {kid}")
    gone = command(f"signing-keys retire {KEPT_SECRET.kid}")

    assert begun.splitlines() == [f"{KEPT_SECRET.kid}  HS256  signs", f"{kid}  ES256  verifies"]
    assert early[:2] == (2, "")
    assert "signs" in early[2]
    assert used == (0, f"{kid} signs\n", "")
    assert gone[0] == 0
    assert "for as long as SEPAL_SECRET_KEY is set" in gone[1]
    assert [key.kid for key in load(file)] == [kid]
    assert SECRET not in begun + early[2] + gone[1]


def test_a_retired_key_is_removed(command: Command, file: Path) -> None:
    """The command says that its tokens are invalid, and the other keys stay as they are."""
    save(file, (CURVE, PAIR))

    retired = command(f"signing-keys retire {PAIR.kid}")

    assert retired == (0, f"removed {PAIR.kid}; all of its tokens are invalid\n", "")
    assert command("signing-keys list")[1] == f"{CURVE.kid}  ES256  signs\n"


@pytest.mark.parametrize(("line", "complaint"), [
    ("list", "No such file"), ("use x", "No such file"), ("retire x", "No such file"),
])  # fmt: skip
def test_a_missing_file_is_an_error_of_one_line(command: Command, file: Path, line: str, complaint: str) -> None:
    """The exit code is 2."""
    code, out, error = command(f"signing-keys {line}")

    assert (code, out) == (2, "")
    assert complaint in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("action", ["use", "retire"])
def test_an_unknown_key_is_an_error_of_one_line(command: Command, file: Path, action: str) -> None:
    """The message names the command that lists the keys, and the file stays as it is."""
    save(file, (CURVE,))

    assert command(f"signing-keys {action} x") == (
        2, "", "there is no key 'x'; python -m serve signing-keys list\n",
    )  # fmt: skip
    assert [key.kid for key in load(file)] == [CURVE.kid]


def test_an_unknown_algorithm_is_refused(command: Command, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message lists those that exist."""
    with pytest.raises(SystemExit) as ended:
        command("signing-keys add none")

    assert ended.value.code == 2
    assert "invalid choice: 'none' (choose from" in capsys.readouterr().err
    assert not file.exists()


def test_commands_need_the_setting(command: Command) -> None:
    """Without a file the error names the setting."""
    assert command("signing-keys list") == (
        2, "", "SEPAL_TOKEN_KEYS is not set: it must name the file of the keys that sign tokens\n",
    )  # fmt: skip
