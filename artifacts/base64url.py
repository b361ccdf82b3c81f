"""Base64url without padding (RFC 7515), decoded strictly: every run of bytes has exactly one spelling."""

import base64


def encode(content: bytes) -> str:
    """Encode without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """
    Decode what `encode` returns.

    Raises:
        ValueError: The text is not what `encode` would return for any bytes.
    """
    content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    # The standard library skips characters outside its alphabet and ignores the spare bits of the last character.
    if encode(content) != text:
        raise ValueError("not base64url")
    return content
