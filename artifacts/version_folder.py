"""The folder of one version: its files are written and signed, or verified; nothing of them is loaded here."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from artifacts import own_code
from artifacts.errors import (
    ArtifactDigest,
    ArtifactError,
    ArtifactFormat,
    ArtifactIncomplete,
    ArtifactMissing,
    ArtifactPath,
    ArtifactRollback,
    ArtifactSignature,
    ArtifactUntrusted,
)
from artifacts.files import sync_folder, write_synced
from artifacts.folders import Folder, TooLarge, artifact_errors
from artifacts.manifest import Label, Manifest, Promise, parse
from artifacts.runtimes.sklearn_runtime import SKLEARN
from artifacts.signing import ADVICE, PublicKey, Signer, find_signer
from artifacts.text import shorten

MANIFEST = "manifest.json"
MODEL = "model.joblib"
LABELS = "labels.json"
CARD = "card.html"
PROGRAMS = "runtime.npz"
CODE = "code.zip"
SIGNATURE = "manifest.sig"

FILE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
LARGEST_MANIFEST = 64 * 2**20
_LARGEST_SIGNATURE = 1024
# Of a file whose size the manifest does not have, as in the first releases.
_LARGEST = 4 * 2**30

label_lines = TypeAdapter(tuple[Label, ...])


class Identity(NamedTuple):
    """Which version a folder must hold."""

    model: str
    version: int


@dataclass(frozen=True, slots=True)
class Content:
    """
    What a version is made of.

    Attributes:
        pickled: The estimator, as joblib writes it.
        labels: One line per class, in the estimator's order; empty for a regressor.
        card: Writes the model card once the version has its number; None for a version without one.
        programs: What predicts in place of the estimator, see `runtimes.program.pack`; None if nothing does.
        code: The publisher's own modules that the estimator needs, by their paths; the promise lists these.
    """

    promise: Promise
    pickled: bytes
    labels: tuple[Label, ...] = ()
    card: Callable[[Manifest], bytes] | None = None
    programs: bytes | None = None
    code: Mapping[str, bytes] = field(default_factory=dict)


def write(folder: Path, content: Content, *, model: str, version: int, signer: Signer) -> Manifest:
    """Write a version into an empty folder, every file synced to disk, and the manifest signed."""
    contents = {MODEL: content.pickled}
    if content.labels:
        contents[LABELS] = label_lines.dump_json(content.labels, indent=2, by_alias=True)
    if content.programs is not None:
        contents[PROGRAMS] = content.programs
    if content.code:
        contents[CODE] = own_code.pack(content.code)
    known = {**dict(content.promise), "model": model, "version": version, "created_at": datetime.now(UTC)}
    manifest = Manifest(**known, **_listed(contents))
    if content.card:
        contents[CARD] = content.card(manifest)
        manifest = Manifest(**known, **_listed(contents))
    document = manifest.model_dump_json(indent=2).encode()
    for name, file in {**contents, MANIFEST: document, SIGNATURE: signer.sign(document)}.items():
        with artifact_errors(name):
            write_synced(folder / name, file)
    sync_folder(folder)
    return manifest


def _listed(contents: Mapping[str, bytes]) -> dict[str, Any]:
    return {
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
        "sizes": {name: len(content) for name, content in contents.items()},
    }


def read_manifest(folder: Folder, of: Identity) -> Manifest:
    """
    Read a version's manifest without verifying its signature.

    Raises:
        ArtifactMissing: The folder has no manifest.
        ArtifactFormat: The manifest is invalid.
    """
    return parse(_read_document(folder, of))


def verified_manifest(folder: Folder, of: Identity, *, trusted: Sequence[PublicKey]) -> tuple[Manifest, PublicKey]:
    """Return a version's manifest and the key that signed it; its files are not read."""
    try:
        document = _read_document(folder, of)
    except ArtifactMissing as error:
        if folder.names():
            raise ArtifactUntrusted(f"the folder has files and no {MANIFEST}, so they are not signed") from error
        raise
    signature = _read(
        folder,
        SIGNATURE,
        most=_LARGEST_SIGNATURE,
        missing=ArtifactUntrusted(f"it is not signed; {ADVICE}"),
        too_large=ArtifactSignature(f"{SIGNATURE} is not a signature"),
    )
    key = find_signer(document, signature, trusted)
    return _parse_as(of, document), key


def verify(
    folder: Folder, of: Identity, *, trusted: Sequence[PublicKey]
) -> tuple[Manifest, Mapping[str, bytes], PublicKey]:
    """Return a version's manifest, the bytes of its files, whose digests were compared, and the key that signed it."""
    manifest, key = verified_manifest(folder, of, trusted=trusted)
    return manifest, _read_files(folder, manifest), key


def sign(folder: Folder, of: Identity, signer: Signer) -> bytes:
    """Return a signature of a version's manifest, after comparing its files with the manifest."""
    document = _read_document(folder, of)
    _read_files(folder, _parse_as(of, document))
    return signer.sign(document)


def _read_document(folder: Folder, of: Identity) -> bytes:
    return _read(
        folder,
        MANIFEST,
        most=LARGEST_MANIFEST,
        missing=ArtifactMissing(of.model, of.version),
        too_large=ArtifactFormat(f"{MANIFEST} is larger than {LARGEST_MANIFEST // 2**20} MiB"),
    )


def _parse_as(of: Identity, document: bytes) -> Manifest:
    """Parse a manifest, which must be that of the folder: an older version put in its place is signed as well."""
    manifest = parse(document)
    if (manifest.model, manifest.version) != of:
        raise ArtifactRollback(
            f"the folder of {of.model} version {of.version} holds {shorten(manifest.model)} version {manifest.version}"
        )
    return manifest


def _read_files(folder: Folder, manifest: Manifest) -> Mapping[str, bytes]:
    """Read every file that the manifest lists, and compare its digest."""
    for name in manifest.files:
        if FILE.fullmatch(name) is None:
            raise ArtifactPath(name, "listed in the manifest, and not a valid file name")
    listed = {*manifest.files, MANIFEST, SIGNATURE}
    needed = {MODEL} | ({LABELS} if manifest.task == "classification" else set())
    if manifest.execution and set(manifest.execution.choice.values()) != {SKLEARN}:
        needed.add(PROGRAMS)
    if manifest.code:
        needed.add(CODE)
    present = folder.names()
    # A version that is about to be signed has no signature yet.
    missing, unlisted = (listed - {SIGNATURE} | needed) - present, present - listed
    if missing or unlisted:
        raise ArtifactIncomplete(missing=missing, unlisted=unlisted)
    return {name: _read_file(folder, manifest, name) for name in manifest.files}


def _read_file(folder: Folder, manifest: Manifest, name: str) -> bytes:
    most, missing = manifest.sizes.get(name, _LARGEST), ArtifactIncomplete(missing=[name])
    content = _read(folder, name, most=most, missing=missing, too_large=ArtifactDigest(name))
    if hashlib.sha256(content).hexdigest() != manifest.files[name]:
        raise ArtifactDigest(name)
    return content


def _read(folder: Folder, name: str, *, most: int, missing: ArtifactError, too_large: ArtifactError) -> bytes:
    try:
        return folder.read(name, most=most)
    except FileNotFoundError as error:
        raise missing from error
    except TooLarge as error:
        raise too_large from error
