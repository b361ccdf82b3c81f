"""The keys of this machine: the private key that signs, its public key, and the keys that are trusted."""

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
    The keys that this process trusts, and the one that it signs with.

    Attributes:
        named: The keys that SEPAL_TRUSTED_KEYS names.
        file: The file of the private key; that of the public key has the same name and `.pub`.
        is_own: Whether this is development: a missing key is made, and this machine's key is trusted.
    """

    named: tuple[PublicKey, ...]
    file: Path
    is_own: bool = False

    @classmethod
    def of(cls, settings: ArtifactSettings) -> Self:
        """Return the keys that the settings name."""
        return cls(parse_keys(settings.trusted_keys), settings.signing_key, is_own=not settings.is_production)

    @property
    def trusted(self) -> tuple[PublicKey, ...]:
        """
        The keys whose signatures are valid now; in development, the own key may be made at any time.

        Raises:
            KeyInvalid: Development's own key is invalid, or others may write it.
        """
        return (*self.named, *self._own()) if self.is_own else self.named

    def signer(self) -> Signer:
        """
        Return the key that signs here.

        Raises:
            KeyInvalid: It cannot be read, or others can read it; or it is missing, and this is not development.
        """
        file = demand_absolute(self.file)
        if self.is_own and not file.exists():
            with suppress(FileExistsError):
                generate(file)
        return _read_private(file)

    def _own(self) -> tuple[PublicKey, ...]:
        if not self.file.is_absolute():
            # Without a project folder, no key was made here.
            return ()
        public = public_key_path(self.file)
        if public.exists():
            return (self._checked(_read_public(public)),)
        # A process that can read the private key needs no public one; a server may not be allowed to read it.
        return (_read_private(self.file).public,) if os.access(self.file, os.R_OK) else ()

    def _checked(self, public: PublicKey) -> PublicKey:
        """Check that a public key belongs to the private key: else what is published here would not be trusted here."""
        if os.access(self.file, os.R_OK) and _read_private(self.file).public != public:
            raise KeyInvalid(f"{public_key_path(self.file)} is not the public key of {self.file}: move it away")
        return public


def demand_absolute(file: Path) -> Path:
    """
    Return the path of the private key.

    Raises:
        KeyInvalid: Its path is relative, and no project folder is known.
    """
    if not file.is_absolute():
        raise KeyInvalid(f"{file} is relative, and no project folder is known: set SEPAL_HOME or SEPAL_SIGNING_KEY")
    return file


def public_key_path(file: Path) -> Path:
    """Return the path of the public key of a private key."""
    return file.with_name(f"{file.name}.pub")


def generate(file: Path) -> PublicKey:
    """
    Make a key pair; if several processes do so at once, one of them succeeds.

    Raises:
        FileExistsError: There is one already: a key is never replaced.
        KeyInvalid: It cannot be written.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    public = PublicKey(key.public_key().public_bytes_raw())
    if public_key_path(file).exists() and not file.exists():
        raise KeyInvalid(f"{public_key_path(file)} exists without its private key: move it away first")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise KeyInvalid(f"{file.parent} cannot be created: {error.strerror}") from error
    _write_once(file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), mode=0o600)
    _write_once(public_key_path(file), f"{public.text}\n".encode(), mode=0o644)
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
        raise KeyInvalid(f"{file} is not a private key: PEM, PKCS8, without a password, is expected") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyInvalid(f"{file} is not an Ed25519 key")
    return Signer(key)


def _read_public(file: Path) -> PublicKey:
    try:
        return parse_key(_read(file).decode("ascii", errors="replace").strip())
    except KeyInvalid as error:
        raise KeyInvalid(f"{file}: {error}") from error


def _read(file: Path, *, private: bool = False) -> bytes:
    """Return the content of a key's file, which must be small, regular and protected."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise KeyInvalid(
            f"there is no key {file}: make one with python -m artifacts keygen, or set SEPAL_SIGNING_KEY"
        ) from error
    except OSError as error:
        raise KeyInvalid(f"{file} cannot be read: {error.strerror}") from error
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_size > _LARGEST:
            raise KeyInvalid(f"{file} is not a key file")
        if private and about.st_mode & 0o077:
            raise KeyInvalid(f"{file} can be read by others: run chmod 600 on it")
        if about.st_mode & 0o022:
            raise KeyInvalid(f"{file} can be written by others, who could add keys of their own: run chmod 644 on it")
        return os.read(descriptor, _LARGEST)
    finally:
        os.close(descriptor)
