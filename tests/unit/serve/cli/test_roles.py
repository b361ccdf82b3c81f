"""The commands about roles."""

from tests.support.commands import Command


def test_a_role_is_added_changed_and_removed(command: Command) -> None:
    """A custom role is added, changed, listed and removed, also from its users."""
    assert command("roles add tester --scopes", "predict batch")[:2] == (0, "added tester: predict batch\n")
    assert command("users add ada --roles tester")[0] == 0
    assert command("roles set tester --scopes predict")[:2] == (0, "set tester: predict\n")
    assert command("roles list")[1].splitlines()[-2:] == [
        "admin  batch metrics:read models:read predict  built in",
        "tester  predict",
    ]
    assert command("roles remove tester")[0] == 0
    assert "tester" not in command("users list")[1] + command("roles list")[1]
