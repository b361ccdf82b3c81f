"""Commands that fail: one line, exit code 2, and nothing changed."""

import pytest

from tests.support.commands import Command


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
def test_a_command_that_fails_prints_one_line(command: Command, line: str, complaint: str) -> None:
    """The exit code is 2, the reason is one line, and nothing has changed."""
    code, out, error = command(line)

    assert (code, out) == (2, "")
    assert complaint in error
    assert len(error.splitlines()) == 1
    assert command("audit")[1] == ""


def test_names_are_unique(command: Command) -> None:
    """Neither a user nor a role can be added twice."""
    for line in ("users add ada", "roles add tester --scopes predict"):
        assert command(line)[0] == 0
        assert command(line)[0] == 2
