"""The commands about sessions."""

from tests.support.commands import Command


def test_sessions_are_listed_and_ended(command: Command) -> None:
    """A session, also that of the development token, is ended by its id or with all others of its user."""
    assert command("token")[1].count(".") == 2
    assert command("token")[0] == 0
    first, second = command("sessions list")[1].splitlines()

    assert first.split()[1] == "developer"
    assert command(f"sessions end {first.split()[0]}")[0] == 0
    assert command("sessions list --user developer")[1].splitlines() == [second]
    assert command("sessions end --user developer")[:2] == (0, "logged out developer; 1 session ended\n")
    assert command("sessions list")[1] == ""
