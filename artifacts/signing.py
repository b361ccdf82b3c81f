"""Who vouches for a version: a detached Ed25519 signature over the very bytes of its manifest."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from artifacts import base64url
from artifacts.errors import ArtifactSignature, ArtifactUntrusted, KeyInvalid

# Imported where a key is used: listing a store needs none of it.
if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

# What is signed begins with it, so that no signature over a manifest is one over anything else.
_DOMAIN = b"sepal manifest 1\n"
_KEY = re.compile(r"ed25519:([A-Za-z0-9_-]{43})")
_SIGNATURE = re.compile(
    rb"sepal signature 1\nalgorithm: ed25519\nkey: ([0-9a-f]{16})\nsignature: ([A-Za-z0-9_-]{86})\n"
)

ADVICE = "if you know what it is and where it comes from: python -m artifacts sign MODEL@VERSION"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What tells whether a signature is its owner's; 32 bytes."""

    raw: bytes

    @property
    def text(self) -> str:
        """The key in one line, as SEPAL_TRUSTED_KEYS takes it."""
        return f"ed25519:{base64url.encode(self.raw)}"

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits, enough for people to tell keys apart."""
        return hashlib.sha256(self.raw).hexdigest()[:16]

    def verifies(self, signature: bytes, document: bytes) -> bool:
        """Whether the signature was made with the private half, for this document."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, _DOMAIN + document)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """What signs."""

    key: "Ed25519PrivateKey"

    @property
    def public(self) -> PublicKey:
        """Who it is."""
        return PublicKey(self.key.public_key().public_bytes_raw())

    def sign(self, document: bytes) -> bytes:
        """The signature of a document, as it is kept in a file."""
        signature = base64url.encode(self.key.sign(_DOMAIN + document))
        return f"sepal signature 1\nalgorithm: ed25519\nkey: {self.public.id}\nsignature: {signature}\n".encode()


def parse_key(text: str) -> PublicKey:
    """
    Read a public key from its line.

    Raises:
        KeyInvalid: It is none. What was given is not shown, for it may be the private half.
    """
    found = _KEY.fullmatch(text)
    raw = _decoded(found[1]) if found else None
    if raw is None:
        raise KeyInvalid("a public key is written ed25519:<43 letters, digits, '-' and '_'>, as keygen prints it")
    return PublicKey(raw)


def parse_keys(text: str) -> tuple[PublicKey, ...]:
    """
    Read public keys that are separated by blanks or commas.

    Raises:
        KeyInvalid: One of them is none.
    """
    return tuple(dict.fromkeys(parse_key(each) for each in re.split(r"[\s,]+", text) if each))


def check(document: bytes, signed: bytes | None, trusted: Sequence[PublicKey]) -> PublicKey:
    """
    Find out who signed a document.

    Args:
        document: The very bytes.
        signed: The file of the signature; None where there is none.
        trusted: Whose signatures count.

    Raises:
        ArtifactUntrusted: Nobody signed it, or nobody of these.
        ArtifactSignature: The file holds no signature, or one of other bytes.
    """
    if signed is None:
        raise ArtifactUntrusted(f"nobody signed it; {ADVICE}")
    found = _SIGNATURE.fullmatch(signed)
    signature = _decoded(found[2].decode()) if found else None
    if found is None or signature is None:
        raise ArtifactSignature("manifest.sig is no signature")
    named = found[1].decode()
    candidates = [key for key in trusted if key.id == named]
    for key in candidates:
        if key.verifies(signature, document):
            return key
    if candidates or _is_of_any(trusted, signature, document):
        raise ArtifactSignature("manifest.sig is not a signature of this manifest by the key that it names")
    raise ArtifactUntrusted(f"it was signed with key {named}, which is not trusted; {ADVICE}")


def _is_of_any(trusted: Iterable[PublicKey], signature: bytes, document: bytes) -> bool:
    """Whether a trusted key made the signature, and only its name was changed."""
    return any(key.verifies(signature, document) for key in trusted)


def _decoded(text: str) -> bytes | None:
    """Decode base64url; None where the text is not."""
    try:
        return base64url.decode(text)
    except ValueError:
        return None
