"""Signatures of manifests: detached Ed25519 signatures over the very bytes of the manifest."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from artifacts import base64url
from artifacts.errors import ArtifactSignature, ArtifactUntrusted, KeyInvalid

# Imported where a key is used: listing a store needs none of it.
if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

# The signed bytes begin with this, so that a signature of a manifest is valid for nothing else.
_DOMAIN = b"sepal manifest 1\n"
_KEY = re.compile(r"ed25519:([A-Za-z0-9_-]{43})")
_SIGNATURE = re.compile(
    rb"sepal signature 1\nalgorithm: ed25519\nkey: ([0-9a-f]{16})\nsignature: ([A-Za-z0-9_-]{86})\n"
)

ADVICE = "if you know where it comes from, sign it: python -m artifacts sign MODEL@VERSION"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key, which verifies signatures; 32 bytes."""

    raw: bytes

    @property
    def text(self) -> str:
        """The key as text, as in SEPAL_TRUSTED_KEYS."""
        return f"ed25519:{base64url.encode(self.raw)}"

    @property
    def id(self) -> str:
        """The first sixteen hexadecimal digits of its sha256, to identify it in messages."""
        return hashlib.sha256(self.raw).hexdigest()[:16]

    def verifies(self, signature: bytes, document: bytes) -> bool:
        """Return whether the signature was made with the private key, for this document."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, _DOMAIN + document)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key, which signs."""

    key: "Ed25519PrivateKey"

    @property
    def public(self) -> PublicKey:
        """The public key."""
        return PublicKey(self.key.public_key().public_bytes_raw())

    def sign(self, document: bytes) -> bytes:
        """Return the signature of a document, as the content of a file."""
        signature = base64url.encode(self.key.sign(_DOMAIN + document))
        return f"sepal signature 1\nalgorithm: ed25519\nkey: {self.public.id}\nsignature: {signature}\n".encode()


def parse_key(text: str) -> PublicKey:
    """
    Parse a public key.

    Raises:
        KeyInvalid: The text is invalid. The message does not contain it, for it may be a private key.
    """
    found = _KEY.fullmatch(text)
    raw = _decoded(found[1]) if found else None
    if raw is None:
        raise KeyInvalid("invalid public key: write ed25519:<43 letters, digits, '-' and '_'>, as keygen prints it")
    return PublicKey(raw)


def parse_keys(text: str) -> tuple[PublicKey, ...]:
    """
    Parse public keys that are separated by blanks or commas.

    Raises:
        KeyInvalid: One of them is invalid.
    """
    return tuple(dict.fromkeys(parse_key(each) for each in re.split(r"[\s,]+", text) if each))


def find_signer(document: bytes, signed: bytes, trusted: Sequence[PublicKey]) -> PublicKey:
    """
    Return the key that signed a document.

    Args:
        document: The very bytes.
        signed: The content of the signature's file.
        trusted: The keys whose signatures are valid.

    Raises:
        ArtifactUntrusted: It was signed with another key.
        ArtifactSignature: The signature is malformed, or of another document.
    """
    found = _SIGNATURE.fullmatch(signed)
    signature = _decoded(found[2].decode()) if found else None
    if found is None or signature is None:
        raise ArtifactSignature("manifest.sig is not a signature")
    named = found[1].decode()
    candidates = [key for key in trusted if key.id == named]
    for key in candidates:
        if key.verifies(signature, document):
            return key
    # A trusted key's signature under another key's id is a forgery, not a stranger's.
    if candidates or any(key.verifies(signature, document) for key in trusted):
        raise ArtifactSignature("manifest.sig is not a signature of this manifest by the key that it names")
    raise ArtifactUntrusted(f"it was signed with key {named}, which is not trusted; {ADVICE}")


def _decoded(text: str) -> bytes | None:
    """Decode base64url; None where the text is not."""
    try:
        return base64url.decode(text)
    except ValueError:
        return None
