"""The commands about API keys."""

from tests.support.commands import Command


def test_a_key_is_shown_once(command: Command) -> None:
    """Only `create` prints the secret; the list has the name, the scopes and the expiry."""
    _, key, _ = command("keys create robot --scopes predict --expires 2d")
    _, id_, secret = key.strip().split("_")

    listed = command("keys list")[1]
    revoked = command(f"keys revoke {id_}")

    assert listed.startswith(f"{id_}  robot  predict  since ")
    assert revoked[:2] == (0, f"revoked {id_}: robot\n")
    assert "revoked" in command("keys list")[1]
    assert secret not in listed + command("audit")[1]
