"""Weak secrets are recognised, and random ones never taken for weak."""

import base64
import random
from collections.abc import Callable

import pytest

from serve.settings.secret_strength import misplaced, weakness


@pytest.mark.parametrize(
    "spelled", [base64.urlsafe_b64encode, base64.b64encode, base64.b32encode, base64.b16encode, base64.b85encode]
)
def test_a_random_secret_is_strong(spelled: Callable[[bytes], bytes]) -> None:
    """In any encoding, none of a thousand random secrets is taken for a pattern, a sample or a key."""
    draw = random.Random(0)
    drawn = [spelled(draw.randbytes(32)).decode() for _ in range(1000)]

    assert {weakness(secret) + misplaced(secret) for secret in drawn} == {""}


@pytest.mark.parametrize(
    "secret", ["x" * 64, "abc" * 20, "k3J-" * 8, "0123456789abcdef" * 4, "1122334455667788" * 2, "\u00e4" * 32]
)
def test_a_repeated_pattern_is_weak(secret: str) -> None:
    """One character, one word or one pattern again and again is weak, however long."""
    assert weakness(secret)


@pytest.mark.parametrize(
    "secret",
    [
        "your-256-bit-secret-your-256-bit-secret1",
        "Please_Change_This_To_Something_Random_1",
        "CHANGE_ME_" + "k3J9x" * 5 + "q",
        "my-Super-Secret-key-for-JWT-2024!!",
        "P-a-s-s-w-o-r-d-P-a-s-s-w-o-r-d-0123",
    ],
)
def test_a_secret_of_words_is_weak(secret: str) -> None:
    """Samples from documents are public, whatever stands between their letters."""
    assert weakness(secret)


@pytest.mark.parametrize(
    "secret",
    [
        '["gUj2wQ0rLx9vTn5bYc8eKd3hZm6pAf1s"]',
        ' {"kty": "oct", "k": "Zm9vYmFyYmF6cXV4"}',
        "-----BEGIN RSA PRIVATE KEY-----\r\nMIIEpAIBAAKCAQEA",
        "----BEGIN CERTIFICATE----",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0",
        "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY",
    ],
)
def test_a_key_of_another_kind_is_misplaced(secret: str) -> None:
    """Key pairs, certificates and JWKs belong into SEPAL_TOKEN_KEYS."""
    assert "SEPAL_TOKEN_KEYS" in misplaced(secret)


@pytest.mark.parametrize("secret", ["", "gUj2wQ0rLx9vTn5bYc8eKd3hZm6pAf1s"])
def test_a_secret_is_not_misplaced(secret: str) -> None:
    """An empty secret is reported as missing, not as misplaced."""
    assert misplaced(secret) == ""
