"""Password hashes."""

import pytest

from serve.auth.passwords import Passwords


@pytest.fixture(scope="module")
def passwords() -> Passwords:
    """As the server has them."""
    return Passwords()


def test_a_password_is_recognised(passwords: Passwords) -> None:
    """A hash is argon2id with OWASP's parameters, salted, and belongs to its own password only."""
    hashed = passwords.hash("correct horse")

    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hashed != passwords.hash("correct horse")
    assert passwords.verify("correct horse", hashed)
    assert not passwords.verify("Correct horse", hashed)


def test_nobody_has_no_password(passwords: Passwords) -> None:
    """A user who is not there is never recognised."""
    assert not passwords.verify("correct horse", None)


@pytest.mark.parametrize("length", [0, 7, 1025])
def test_a_password_has_a_length(passwords: Passwords, length: int) -> None:
    """Too short is guessed, too long is work for nothing."""
    with pytest.raises(ValueError, match="8 to 1,024"):
        passwords.hash("x" * length)


def test_a_password_that_is_too_long_is_not_hashed(passwords: Passwords) -> None:
    """Nobody can have it, so it is refused without the work."""
    assert not passwords.verify("x" * 1025, passwords.hash("x" * 1024))


@pytest.mark.parametrize("damaged", ["", "x", "$argon2id$v=19$m=19456,t=2,p=1$", "$2b$12$" + "a" * 53, "!"])
def test_what_is_no_hash_belongs_to_nobody(passwords: Passwords, damaged: str) -> None:
    """A row that somebody has damaged lets nobody in, and is no error of ours."""
    assert not passwords.verify("correct horse", damaged)
    assert not passwords.verify("", damaged)


def test_an_old_hash_is_outdated(passwords: Passwords) -> None:
    """A hash of other parameters is to be replaced, one of ours is not."""
    assert Passwords(memory_kib=1024, passes=1).is_outdated(passwords.hash("correct horse"))
    assert passwords.is_outdated(Passwords(memory_kib=1024, passes=1).hash("correct horse"))
    assert not passwords.is_outdated(passwords.hash("correct horse"))
