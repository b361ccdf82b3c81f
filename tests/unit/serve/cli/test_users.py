"""The commands about users: what they change and print, and what the audit has."""

import json

from tests.support.commands import Command


def test_a_user_is_added_changed_and_removed(command: Command) -> None:
    """Each change prints one line, and the audit has an event of it."""
    assert command("users add ada --roles caller") == (0, "added ada: caller\n", "")
    assert command("users set ada --scopes metrics:read --roles", "caller operator")[:2] == (0, "set ada\n")
    assert command("users disable ada")[:2] == (0, "disabled ada\n")
    assert command("users list")[1].startswith("ada  metrics:read  roles caller operator  disabled  since 2")
    assert command("users enable ada")[:2] == (0, "enabled ada\n")
    assert command("users password ada", stdin="another horse\n")[:2] == (0, "set the password of ada\n")
    assert command("users remove ada")[:2] == (0, "removed ada\n")
    assert command("users list")[1] == ""

    output = [json.loads(line) for line in command("audit --last 50 --user ada")[1].splitlines()]
    assert [line["event"] for line in output] == [
        "user-added",
        "user-changed",
        "user-disabled",
        "user-enabled",
        "password-changed",
        "user-removed",
    ]
    assert {line["who"].partition(":")[0] for line in output} == {"os"}
    assert "horse" not in str(output)
    assert len(command("audit --last 2")[1].splitlines()) == 2
