"""Password hashes."""

import pytest

from serve.auth.passwords import Passwords


@pytest.fixture(scope="module")
def passwords() -> Passwords:
    """The password hashes of the server."""
    return Passwords()


def test_a_password_matches_its_hash(passwords: Passwords) -> None:
    """A hash is argon2id with OWASP's parameters and a salt, and matches its own password only."""
    hashed = passwords.hash("correct horse")

    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hashed != passwords.hash("correct horse")
    assert passwords.verify("correct horse", hashed)
    assert not passwords.verify("Correct horse", hashed)


def test_an_unknown_user_has_no_password(passwords: Passwords) -> None:
    """No password matches an unknown user."""
    assert not passwords.verify("correct horse", None)


@pytest.mark.parametrize("length", [0, 7, 1025])
def test_a_password_has_a_length(passwords: Passwords, length: int) -> None:
    """Short passwords can be guessed, and long ones take too much work."""
    with pytest.raises(ValueError, match="8 to 1,024"):
        passwords.hash("x" * length)


def test_a_password_that_is_too_long_is_not_hashed(passwords: Passwords) -> None:
    """No user has such a password, so it is refused without hashing."""
    assert not passwords.verify("x" * 1025, passwords.hash("x" * 1024))


@pytest.mark.parametrize("damaged", ["", "x", "$argon2id$v=19$m=19456,t=2,p=1$", "$2b$12$" + "a" * 53, "!"])
def test_a_damaged_hash_matches_nothing(passwords: Passwords, damaged: str) -> None:
    """A damaged row in the database matches no password and raises no error."""
    assert not passwords.verify("correct horse", damaged)
    assert not passwords.verify("", damaged)


def test_an_old_hash_is_outdated(passwords: Passwords) -> None:
    """A hash with other parameters is outdated, a current one is not."""
    assert Passwords(memory_kib=1024, passes=1).is_outdated(passwords.hash("correct horse"))
    assert passwords.is_outdated(Passwords(memory_kib=1024, passes=1).hash("correct horse"))
    assert not passwords.is_outdated(passwords.hash("correct horse"))
