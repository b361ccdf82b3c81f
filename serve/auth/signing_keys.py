"""The signing keys of a deployment: those of a file, changed by commands, and the secret."""

import fcntl
import json
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from artifacts.files import write_file
from serve.auth.jwk_sets import LEAST_EXPONENT, RSA_BITS, key_pair, private_set, read_private_set, secret_key
from serve.auth.tokens import SigningKey, construct_key

MOST_BYTES = 2**18
_GENERATED_BYTES = 48

Keys = tuple[SigningKey, ...]

GENERATORS: Mapping[str, Callable[[], SigningKey]] = {
    "ES256": lambda: key_pair(construct_key(ec.generate_private_key(ec.SECP256R1()), "ES256")),
    "RS256": lambda: key_pair(construct_key(rsa.generate_private_key(LEAST_EXPONENT, RSA_BITS), "RS256")),
    "HS256": lambda: secret_key(secrets.token_bytes(_GENERATED_BYTES)),
}


class DeploymentKeys:
    """
    The signing keys of a deployment: those of its file, then its secret, where either exists.

    The secret verifies for as long as it is set, so moving from a secret to a file logs no user out.
    """

    def __init__(self, file: Path | None, *, secret: str = "") -> None:
        self.file = file
        self._secret = secret_of(secret)
        self._content = b""
        self._keys: Keys = ()

    def read(self) -> Keys:
        """
        Return all current keys, the signing one first; the same tuple as long as the file is unchanged. Blocks.

        Raises:
            OSError: The file cannot be read.
            ValueError: The file is invalid.
        """
        if self.file is None:
            return self._secret
        content = _content(self.file)
        # Contents are compared, not times: a mounted secret is swapped by a link within one tick of the clock.
        if content != self._content:
            found = load(self.file, content)
            known = {key.kid for key in found}
            self._keys = (*found, *(key for key in self._secret if key.kid not in known))
            self._content = content
        return self._keys


def secret_of(secret: str) -> Keys:
    """Return the key of the secret that is set, if one is."""
    return (secret_key(secret.encode()),) if secret else ()


def load(file: Path, content: bytes | None = None) -> Keys:
    """
    Load the keys of a file.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is invalid; the message names the file and contains no part of its keys.
    """
    content = _content(file) if content is None else content
    try:
        return read_private_set(content)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None


def save(file: Path, keys: Keys) -> None:
    """
    Replace the file atomically; only its owner can read it.

    Raises:
        OSError: It cannot be written.
    """
    write_file(file, json.dumps(private_set(keys), indent=1).encode(), mode=0o600)


def add_key(file: Path, alg: str, *, secret: str = "") -> str:
    """
    Generate a key that verifies only, and return its id.

    A new file begins with the secret, which continues to sign: changing the signing key is a step of its own.
    """
    key = GENERATORS[alg]()
    # `use` and `retire` would take an id that begins with a hyphen for an option.
    while key.kid.startswith("-"):
        key = GENERATORS[alg]()
    with _locked(file):
        save(file, (*(load(file) if file.exists() else secret_of(secret)), key))
    return key.kid


def use_key(file: Path, kid: str) -> None:
    """
    Sign with this key from now on.

    Raises:
        ValueError: There is no such key.
    """
    with _locked(file):
        keys = load(file)
        chosen = _named(keys, kid)
        save(file, (chosen, *(key for key in keys if key is not chosen)))


def retire_key(file: Path, kid: str) -> None:
    """
    Remove a key; its tokens become invalid.

    Raises:
        ValueError: There is no such key, or it is the one that signs.
    """
    with _locked(file):
        keys = load(file)
        chosen = _named(keys, kid)
        if chosen is keys[0]:
            raise ValueError(f"{kid} signs: use another key first, and retire this one once its last token has expired")
        save(file, tuple(key for key in keys if key is not chosen))


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Let one command at a time change the file: another would write back what this one removes."""
    with file.with_name(f".{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _named(keys: Keys, kid: str) -> SigningKey:
    for key in keys:
        if key.kid == kid:
            return key
    raise ValueError(f"there is no key {kid!r}; python -m serve signing-keys list")


def _content(file: Path) -> bytes:
    # O_NONBLOCK: opening a named pipe would wait for a writer.
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError(f"{file}: not a regular file")
    with os.fdopen(descriptor, "rb") as handle:
        content = handle.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"{file}: larger than {MOST_BYTES} bytes")
    return content
