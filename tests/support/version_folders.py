"""Write a version to the disk, load it, and change it as an attacker would."""

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
    """Return the key that signs in this test run."""
    return Keys.of(ArtifactSettings()).signer()


def trusted() -> Sequence[PublicKey]:
    """Return the keys that are trusted in this test run."""
    return Keys.of(ArtifactSettings()).trusted


def stranger() -> Signer:
    """Return a key that is not trusted."""
    return Signer(Ed25519PrivateKey.generate())


@dataclass(frozen=True, slots=True)
class Trap:
    """Makes a folder when it is unpickled, in place of an attacker's code."""

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
    """Write a version into a new folder, as version 1 of its model whatever the name of the folder."""
    folder.mkdir(parents=True)
    version_folder.write(folder, made.content, model="tiny", version=1, signer=signer())
    return folder


def read(folder: Path, of: Identity = Identity("tiny", 1), **how: Any) -> Bundle:  # noqa: B008  # it is frozen
    """Load a version as a server would."""
    try:
        with Folder.at(folder) as opened:
            return bundle.load(opened, of, **{"trusted": trusted(), **how})
    except FileNotFoundError as error:
        raise ArtifactMissing(*of) from error


def seal(folder: Path, name: str, content: bytes) -> None:
    """Replace a file, its digest and the signature, as someone with the signing key could."""
    (folder / name).write_bytes(content)

    def change(manifest: dict[str, Any]) -> None:
        manifest["files"][name] = hashlib.sha256(content).hexdigest()
        manifest["sizes"][name] = len(content)

    amend(folder, change)


def amend(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest, and sign it again."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    change(manifest)
    put(folder, json.dumps(manifest).encode())


def put(folder: Path, document: bytes, *, by: Signer | None = None) -> None:
    """Write these bytes as the manifest, and sign them."""
    (folder / MANIFEST).write_bytes(document)
    (folder / SIGNATURE).write_bytes((by or signer()).sign(document))
