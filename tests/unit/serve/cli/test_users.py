"""The commands about people: what they change, what they print, and what the audit says of it."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from serve.__main__ import main
from serve.auth.audit import Audit
from serve.storage.database import connect, migrate, writing
from tests.support.server import environment

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `python -m serve` with these words; its exit code, what it printed, and what it complained of."""
    for name, value in environment(state=tmp_path).items():
        monkeypatch.setenv(name, value)

    def run(line: str, *more: str, stdin: str = "correct horse\n") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        code = main([*line.split(), *more])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def test_a_user_goes_through_life(command: Command) -> None:
    """Added with a role, changed, disabled, enabled, given a password, removed: each in a line, each in the audit."""
    assert command("users add ada --roles caller") == (0, "added ada: caller\n", "")
    assert command("users set ada --scopes metrics:read --roles", "caller operator")[:2] == (0, "set ada\n")
    assert command("users disable ada")[:2] == (0, "disabled ada\n")
    assert command("users list")[1].startswith("ada  metrics:read  roles caller operator  disabled  since 2")
    assert command("users enable ada")[:2] == (0, "enabled ada\n")
    assert command("users password ada", stdin="another horse\n")[:2] == (0, "set the password of ada\n")
    assert command("users remove ada")[:2] == (0, "removed ada\n")
    assert command("users list")[1] == ""

    told = [json.loads(line) for line in command("audit --last 50 --user ada")[1].splitlines()]
    assert [line["event"] for line in told] == [
        "user-added",
        "user-changed",
        "user-disabled",
        "user-enabled",
        "password-changed",
        "user-removed",
    ]
    assert {line["who"].partition(":")[0] for line in told} == {"os"}
    assert "horse" not in str(told)
    assert len(command("audit --last 2")[1].splitlines()) == 2


def test_a_role_goes_through_life(command: Command) -> None:
    """A role of one's own is added, changed, listed and removed, from its holders as well."""
    assert command("roles add tester --scopes", "predict batch")[:2] == (0, "added tester: predict batch\n")
    assert command("users add ada --roles tester")[0] == 0
    assert command("roles set tester --scopes predict")[:2] == (0, "set tester: predict\n")
    assert command("roles list")[1].splitlines()[-2:] == [
        "admin  batch metrics:read models:read predict  built in",
        "tester  predict",
    ]
    assert command("roles remove tester")[0] == 0
    assert "tester" not in command("users list")[1] + command("roles list")[1]


def test_a_key_is_shown_once(command: Command) -> None:
    """What `create` prints is nowhere else; the list has its name, its scopes and its end."""
    _, key, _ = command("keys create robot --scopes predict --expires 2d")
    _, id_, secret = key.strip().split("_")

    listed = command("keys list")[1]
    revoked = command(f"keys revoke {id_}")

    assert listed.startswith(f"{id_}  robot  predict  since ")
    assert revoked[:2] == (0, f"revoked {id_}: robot\n")
    assert "revoked" in command("keys list")[1]
    assert secret not in listed + command("audit")[1]


def test_sessions_are_listed_and_ended(command: Command) -> None:
    """The development token is a session as well: by its id, or with all of its user's."""
    assert command("token")[1].count(".") == 2
    assert command("token")[0] == 0
    first, second = command("sessions list")[1].splitlines()

    assert first.split()[1] == "developer"
    assert command(f"sessions end {first.split()[0]}")[0] == 0
    assert command("sessions list --user developer")[1].splitlines() == [second]
    assert command("sessions end --user developer")[:2] == (0, "logged out developer; 1 session ended\n")
    assert command("sessions list")[1] == ""


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("users remove nobody", "no user 'nobody'"),
        ("users disable nobody", "no user 'nobody'"),
        ("users set nobody", "nothing to set"),
        ("users add ada --roles unheard", "no such role: unheard"),
        ("users add ada --scopes fly", "no such scope: fly"),
        ("roles set admin --scopes predict", "built in"),
        ("roles set unheard --scopes predict", "no role 'unheard'"),
        ("roles add Big --scopes predict", "small letters"),
        ("roles remove unheard", "no role 'unheard'"),
        ("keys create a/b", "key name"),
        ("keys create robot --expires 367d", "366 days"),
        ("keys create robot --expires 0d", "366 days"),
        ("keys revoke 0", "no valid key has the id '0'; python -m serve keys list"),
        ("sessions end 0", "no session 0"),
        ("sessions end --user nobody", "no user 'nobody'"),
        ("audit --last 0", "1 or more"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(command: Command, line: str, complaint: str) -> None:
    """Exit code 2, one line, and nothing has changed."""
    code, out, error = command(line)

    assert (code, out) == (2, "")
    assert complaint in error
    assert len(error.splitlines()) == 1
    assert command("audit")[1] == ""


def test_what_is_taken_is_told(command: Command) -> None:
    """Neither a user nor a role can be added twice."""
    for line in ("users add ada", "roles add tester --scopes predict"):
        assert command(line)[0] == 0
        assert command(line)[0] == 2


def test_the_audit_is_plain_and_bounded(tmp_path: Path) -> None:
    """What others wrote stands there without control characters, cut where it is long, and goes when it is old."""
    engine = connect(f"sqlite:///{tmp_path / 'sepal.db'}")
    migrate(engine)
    now = [1_800_000_000.0]
    audit = Audit(engine, kept_s=100, clock=lambda: now[0])

    with writing(engine) as session:
        audit.note(session, "odd", who="a\n\x1b[31m\u2028" + "b" * 1000, address="x" * 1000, fact="\x00" * 1000)
    [entry] = audit.last(10)
    now[0] += 99
    audit.prune()
    kept = audit.last(10)
    now[0] += 2
    audit.prune()

    assert entry.who.startswith("a??[31m?b")
    assert (len(entry.who), len(entry.address), len(json.loads(entry.facts)["fact"])) == (128, 64, 256)
    assert (len(kept), audit.last(10)) == (1, [])
    engine.dispose()
