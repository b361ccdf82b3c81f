"""Base64url as RFC 7515 has it: without padding, and each run of bytes in one spelling only."""

import base64


def encode(content: bytes) -> str:
    """The one spelling of these bytes."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """
    The bytes that are spelled so.

    Raises:
        ValueError: It is not the one spelling of anything.
    """
    content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    # The standard library passes over what is not its alphabet, and over the last character's spare bits.
    if encode(content) != text:
        raise ValueError("not base64url")
    return content
