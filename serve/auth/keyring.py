"""The keys that sign tokens, in a file: the first signs, all of them verify."""

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
from serve.auth.jwks import RSA_BITS, SigningKey, asymmetric_key, private_set, secret_key
from serve.auth.private_keys import read_private

MOST_BYTES = 2**18
_GENERATED_BYTES = 48

GENERATORS: Mapping[str, Callable[[], SigningKey]] = {
    "ES256": lambda: asymmetric_key(ec.generate_private_key(ec.SECP256R1())),
    "RS256": lambda: asymmetric_key(rsa.generate_private_key(65_537, RSA_BITS)),
    "HS256": lambda: secret_key(secrets.token_bytes(_GENERATED_BYTES)),
}


class Keyring:
    """
    The keys of a deployment: those of a file, then the secret, where there is one.

    The secret verifies for as long as it is set, so whoever moves from it to a file logs nobody out.
    """

    def __init__(self, file: Path | None, *, secret: str = "") -> None:
        self._file = file
        self._secret = (secret_key(secret.encode()),) if secret else ()
        self._content = b""
        self._keys: tuple[SigningKey, ...] = ()

    @property
    def is_renewed(self) -> bool:
        """Whether it can change at all: what is in the environment stays."""
        return self._file is not None

    def read(self) -> tuple[SigningKey, ...]:
        """
        All keys as they are now, the one that signs first; the same object for as long as nothing changes. Blocks.

        Raises:
            OSError: The file cannot be read.
            ValueError: It is not what it must be, or there is neither a file nor a secret.
        """
        if self._file is None:
            if not self._secret:
                raise ValueError("there is no key to sign tokens with")
            return self._secret
        content = _content(self._file)
        # What is inside, not when it was written: a mounted secret is swapped by a link, within a tick of the clock.
        if content != self._content:
            found = load(self._file, content)
            known = {key.kid for key in found}
            self._keys = (*found, *(key for key in self._secret if key.kid not in known))
            self._content = content
        return self._keys


def load(file: Path, content: bytes | None = None) -> tuple[SigningKey, ...]:
    """
    The keys of a file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not what it must be; the message names the file, and nothing of its keys.
    """
    content = _content(file) if content is None else content
    try:
        return read_private(content)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None


def save(file: Path, keys: tuple[SigningKey, ...]) -> None:
    """
    Write the file anew, readable by its owner alone; a reader sees the old one or the new one, whole.

    Raises:
        OSError: It cannot be written.
    """
    write_file(file, json.dumps(private_set(keys), indent=1).encode(), mode=0o600)


@contextmanager
def taking_turns(file: Path) -> Iterator[None]:
    """Whoever changes the file waits for whoever is at it."""
    with file.with_name(f".{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def added(keys: tuple[SigningKey, ...], key: SigningKey) -> tuple[SigningKey, ...]:
    """One more, which verifies only, unless it is the first."""
    return (*keys, key)


def used(keys: tuple[SigningKey, ...], kid: str) -> tuple[SigningKey, ...]:
    """
    The same keys, this one signing.

    Raises:
        ValueError: There is no such key.
    """
    chosen = _named(keys, kid)
    return (chosen, *(key for key in keys if key is not chosen))


def retired(keys: tuple[SigningKey, ...], kid: str) -> tuple[SigningKey, ...]:
    """
    The keys without this one.

    Raises:
        ValueError: There is no such key, or it is the one that signs.
    """
    chosen = _named(keys, kid)
    if chosen is keys[0]:
        raise ValueError(f"{kid} signs: use another one first, and retire this one when its last token has expired")
    return tuple(key for key in keys if key is not chosen)


def _named(keys: tuple[SigningKey, ...], kid: str) -> SigningKey:
    for key in keys:
        if key.kid == kid:
            return key
    raise ValueError(f"there is no key {kid!r}")


def _content(file: Path) -> bytes:
    # A pipe has nobody to wait for.
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError(f"{file}: it is not a file")
    with os.fdopen(descriptor, "rb") as handle:
        content = handle.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"{file}: it has more than {MOST_BYTES} bytes")
    return content
