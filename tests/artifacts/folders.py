"""A version on disk, and ways to spoil it."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from artifacts import bundle
from artifacts.bundle import MANIFEST
from tests import tiny


def write(folder: Path, made: tiny.Tiny) -> Path:
    """A version in a new folder."""
    folder.mkdir(parents=True)
    bundle.write(folder, made.content, model="tiny", version=1)
    return folder


def seal(folder: Path, name: str, content: bytes) -> None:
    """Replace a file and its digest, as one could who may write both."""
    (folder / name).write_bytes(content)
    amend(folder, lambda manifest: manifest["files"].update({name: hashlib.sha256(content).hexdigest()}))


def amend(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest on disk."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))
