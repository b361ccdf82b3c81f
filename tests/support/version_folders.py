"""A version on disk, and ways to spoil it."""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from artifacts import ArtifactSettings, Bundle, bundle, version_folder
from artifacts.errors import ArtifactMissing
from artifacts.folders import Folder
from artifacts.keys import Keys
from artifacts.signing import PublicKey, Signer
from artifacts.version_folder import MANIFEST, SIGNATURE, Identity
from tests.support import tiny_models


def signer() -> Signer:
    """What signs in this run."""
    return Keys.of(ArtifactSettings()).signer()


def trusted() -> Sequence[PublicKey]:
    """Who is trusted in this run."""
    return Keys.of(ArtifactSettings()).trusted


def stranger() -> Signer:
    """What signs, and nobody trusts."""
    return Signer(Ed25519PrivateKey.generate())


@dataclass(frozen=True, slots=True)
class Trap:
    """Makes a folder when it is unpickled, as an attacker's model would do worse."""

    path: str

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (self.path,)


@dataclass(frozen=True, slots=True)
class Quitter:
    """Ends the process when it is unpickled, as `sys.exit` and others do."""

    ending: type[BaseException] = SystemExit

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return _raise, (self.ending,)


def _raise(ending: type[BaseException]) -> None:
    raise ending


class Mute:
    """Cannot predict."""


def write(folder: Path, made: tiny_models.Tiny) -> Path:
    """A version in a new folder, the first of its model whatever the folder is called."""
    folder.mkdir(parents=True)
    version_folder.write(folder, made.content, model="tiny", version=1, signer=signer())
    return folder


def read(folder: Path, of: Identity = Identity("tiny", 1), **how: Any) -> Bundle:  # noqa: B008  # it is frozen
    """Load it as a server would."""
    try:
        with Folder.at(folder) as opened:
            return bundle.load(opened, of, **{"trusted": trusted(), **how})
    except FileNotFoundError as error:
        raise ArtifactMissing(*of) from error


def seal(folder: Path, name: str, content: bytes) -> None:
    """Replace a file, its digest and the signature, as one could who may sign."""
    (folder / name).write_bytes(content)

    def change(manifest: dict[str, Any]) -> None:
        manifest["files"][name] = hashlib.sha256(content).hexdigest()
        manifest["sizes"][name] = len(content)

    amend(folder, change)


def amend(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest on disk, and sign it again."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    change(manifest)
    put(folder, json.dumps(manifest).encode())


def put(folder: Path, document: bytes, *, by: Signer | None = None) -> None:
    """These very bytes as the manifest, signed."""
    (folder / MANIFEST).write_bytes(document)
    (folder / SIGNATURE).write_bytes((by or signer()).sign(document))
