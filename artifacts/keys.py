"""The keys of this machine: the file that signs, its public half beside it, and whose signatures count."""

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from artifacts.errors import KeyInvalid
from artifacts.files import write_file
from artifacts.settings import ArtifactSettings
from artifacts.signing import PublicKey, Signer, parse_key, parse_keys

_LARGEST = 8192


@dataclass(frozen=True, slots=True)
class Keys:
    """
    Whom this process trusts, and what it signs with.

    Attributes:
        named: Whose signatures count wherever this runs.
        file: Of the private key; its public half stands beside it, its name ending in `.pub`.
        is_own: Whether this is development: a missing key is made, and the own one is trusted.
    """

    named: tuple[PublicKey, ...]
    file: Path
    is_own: bool = False

    @classmethod
    def of(cls, settings: ArtifactSettings) -> Self:
        """Those that the settings name."""
        return cls(parse_keys(settings.trusted_keys), settings.signing_key, is_own=not settings.is_production)

    @property
    def trusted(self) -> tuple[PublicKey, ...]:
        """
        Whose signatures count now; development may have made its key since it was asked for the last time.

        Raises:
            KeyInvalid: Development's own key is none, or others may write it.
        """
        return (*self.named, *self._own()) if self.is_own else self.named

    def signer(self) -> Signer:
        """
        What signs here.

        Raises:
            KeyInvalid: It cannot be read, or others can; or it is missing, and this is not development.
        """
        file = demand_absolute(self.file)
        if self.is_own and not file.exists():
            with suppress(FileExistsError):
                generate(file)
        return _read_private(file)

    def _own(self) -> tuple[PublicKey, ...]:
        if not self.file.is_absolute():
            # Without a project folder, no key was ever made here.
            return ()
        public = public_half(self.file)
        if public.exists():
            return (self._half(_read_public(public)),)
        # Who may sign needs no public half. A server may find one there that is not for its eyes.
        return (_read_private(self.file).public,) if os.access(self.file, os.R_OK) else ()

    def _half(self, public: PublicKey) -> PublicKey:
        """It, unless it is that of another key: what one publishes here would not be what one trusts here."""
        if os.access(self.file, os.R_OK) and _read_private(self.file).public != public:
            raise KeyInvalid(f"{public_half(self.file)} is not the half of {self.file}: move it away")
        return public


def demand_absolute(file: Path) -> Path:
    """
    Return the file of the key that the settings name.

    Raises:
        KeyInvalid: Its path is relative, and no project folder is known.
    """
    if not file.is_absolute():
        raise KeyInvalid(f"{file} is relative, and no project folder is known: set SEPAL_HOME or SEPAL_SIGNING_KEY")
    return file


def public_half(file: Path) -> Path:
    """Where the public half of a private key is kept."""
    return file.with_name(f"{file.name}.pub")


def generate(file: Path) -> PublicKey:
    """
    Make a key pair; several processes may do so at once, and one of them does.

    Raises:
        FileExistsError: There is one already, and no key is ever replaced.
        KeyInvalid: It cannot be written.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    public = PublicKey(key.public_key().public_bytes_raw())
    if public_half(file).exists() and not file.exists():
        raise KeyInvalid(f"{public_half(file)} is the half of a key that is not here: move it away first")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise KeyInvalid(f"{file.parent} cannot be made: {error.strerror}") from error
    _write_once(file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), mode=0o600)
    _write_once(public_half(file), f"{public.text}\n".encode(), mode=0o644)
    return public


def _write_once(file: Path, content: bytes, *, mode: int) -> None:
    try:
        write_file(file, content, mode=mode, replace=False)
    except FileExistsError:
        raise
    except OSError as error:
        raise KeyInvalid(f"{file} cannot be written: {error.strerror}") from error


def _read_private(file: Path) -> Signer:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    pem = _read(file, private=True)
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyInvalid(f"{file} holds no private key that can be read: PEM, PKCS8, without a password") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyInvalid(f"{file} holds a key of another kind, and Ed25519 is needed")
    return Signer(key)


def _read_public(file: Path) -> PublicKey:
    try:
        return parse_key(_read(file).decode("ascii", errors="replace").strip())
    except KeyInvalid as error:
        raise KeyInvalid(f"{file}: {error}") from error


def _read(file: Path, *, private: bool = False) -> bytes:
    """The bytes of a key, which is small and no pipe."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise KeyInvalid(
            f"there is no key {file}: make one with python -m artifacts keygen, or name yours in SEPAL_SIGNING_KEY"
        ) from error
    except OSError as error:
        raise KeyInvalid(f"{file} cannot be read: {error.strerror}") from error
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_size > _LARGEST:
            raise KeyInvalid(f"{file} is no file of a key")
        if private and about.st_mode & 0o077:
            raise KeyInvalid(f"{file} may be read by others: chmod 600 it")
        if about.st_mode & 0o022:
            raise KeyInvalid(f"{file} may be written by others, who could have themselves trusted: chmod 644 it")
        return os.read(descriptor, _LARGEST)
    finally:
        os.close(descriptor)
