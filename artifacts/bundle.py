"""One version on disk: written whole, verified before anything of it is unpickled."""

import hashlib
import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, cast

import joblib
import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from artifacts.columns import Table
from artifacts.errors import (
    ArtifactDigest,
    ArtifactFormat,
    ArtifactIncomplete,
    ArtifactMissing,
    ArtifactSelfTest,
    ArtifactUnloadable,
    ArtifactUnreadable,
)
from artifacts.manifest import Label, Manifest, Promise, parse

MANIFEST = "manifest.json"
MODEL = "model.joblib"
LABELS = "labels.json"

_label_map = TypeAdapter(tuple[Label, ...])


class Estimator(Protocol):
    """What is asked of a model: a class a row, and where it can, a probability a class."""

    classes_: NDArray[np.generic]

    def predict(self, X: Table, /) -> NDArray[np.generic]: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """Shape (rows,) of labels; shape (rows, classes) of probabilities, or None where the model has none."""

    labels: NDArray[np.object_]
    probabilities: NDArray[np.float64] | None


@dataclass(frozen=True, slots=True)
class Bundle:
    """One version in memory, verified; never changed once built."""

    manifest: Manifest
    labels: NDArray[np.object_]
    _estimator: Estimator

    @property
    def has_probabilities(self) -> bool:
        """Whether the model says how sure it is."""
        return hasattr(self._estimator, "predict_proba")

    def predict(self, data: Table, *, probabilities: bool = True) -> Answer:
        """
        Answer a checked batch.

        Labels come from `predict`, never from the largest probability: the two differ for estimators that
        tune their threshold or calibrate after the decision.
        """
        return answer(self._estimator, self.labels, data, probabilities=probabilities)


def answer(estimator: Estimator, labels: NDArray[np.object_], data: Table, *, probabilities: bool = True) -> Answer:
    """Ask an estimator, and translate its classes by the label map."""
    asked = probabilities and hasattr(estimator, "predict_proba")
    # What overflows is found in the answer; a warning for each would let callers fill the log.
    with np.errstate(all="ignore"):
        predicted = estimator.predict(data)
        spread = cast(Any, estimator).predict_proba(data) if asked else None
    return Answer(labels[np.searchsorted(estimator.classes_, predicted)], spread)


def as_labels(lines: tuple[Label, ...]) -> NDArray[np.object_]:
    """Shape (classes,): the label of each class, in the estimator's order."""
    labels = np.empty(len(lines), dtype=object)
    labels[:] = [line.label for line in lines]
    return labels


def write(
    folder: Path, promise: Promise, *, model: str, version: int, pickled: bytes, labels: tuple[Label, ...]
) -> Manifest:
    """
    Write a version into an empty folder, every file synced to disk.

    The manifest comes last: a folder without one holds no version.
    """
    contents = {MODEL: pickled, LABELS: _label_map.dump_json(labels, indent=2, by_alias=True)}
    manifest = Manifest(
        **dict(promise),
        model=model,
        version=version,
        created_at=datetime.now(UTC),
        files={name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
    )
    for name, content in {**contents, MANIFEST: manifest.model_dump_json(indent=2).encode()}.items():
        write_synced(folder / name, content)
    sync_folder(folder)
    return manifest


def read(folder: Path) -> Bundle:
    """
    Load a version: manifest, digests, the very bytes that were digested, then the model's own examples.

    Raises:
        ArtifactMissing: There is no such folder, or it holds no manifest.
        ArtifactFormat: The manifest or the label map cannot be read.
        ArtifactIncomplete: A listed file is missing, or an unlisted one is there.
        ArtifactUnreadable: The file system does not hand it out.
        ArtifactDigest: A file is not the one that was published.
        ArtifactUnloadable: No model comes out of the bytes.
        ArtifactSelfTest: The model no longer answers as it did.
    """
    manifest, contents = verify(folder)
    estimator = _unpickle(contents[MODEL])
    try:
        lines = _label_map.validate_json(contents[LABELS])
    except ValidationError as error:
        raise ArtifactFormat(f"{LABELS} is not a list of class and label") from error
    if estimator.classes_.tolist() != [line.value for line in lines]:
        raise ArtifactUnloadable(f"{LABELS} does not name the classes of the model, one line a class")
    if manifest.classes != tuple(line.label for line in lines):
        raise ArtifactFormat(f"{MANIFEST} lists other classes than {LABELS}")
    bundle = Bundle(manifest, as_labels(lines), estimator)
    self_test(bundle)
    return bundle


def verify(folder: Path) -> tuple[Manifest, Mapping[str, bytes]]:
    """Read a version's bytes and hold them against its manifest; nothing is unpickled."""
    manifest = read_manifest(folder)
    with handed_out(), os.scandir(folder) as entries:
        is_plain = {entry.name: entry.is_file(follow_symlinks=False) for entry in entries}
    listed = {*manifest.files, MANIFEST}
    missing = {name for name in {*listed, MODEL, LABELS} if not is_plain.get(name, False)}
    unlisted = is_plain.keys() - listed
    if missing or unlisted:
        raise ArtifactIncomplete(missing=missing, unlisted=unlisted)
    with handed_out():
        contents = {name: (folder / name).read_bytes() for name in manifest.files}
    for name, content in contents.items():
        if hashlib.sha256(content).hexdigest() != manifest.files[name]:
            raise ArtifactDigest(name)
    return manifest, contents


def read_manifest(folder: Path) -> Manifest:
    """
    Read a version's manifest, and nothing else of it.

    Raises:
        ArtifactMissing: There is none.
        ArtifactFormat: It is not one.
    """
    try:
        with handed_out():
            return parse((folder / MANIFEST).read_bytes())
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise ArtifactMissing(folder.parent.name, folder.name) from error


@contextmanager
def handed_out() -> Iterator[None]:
    """
    Read from the file system.

    Raises:
        ArtifactUnreadable: It refuses; that something is not there is told as ever.
    """
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise
    except OSError as error:
        raise ArtifactUnreadable(f"{Path(str(error.filename)).name} cannot be read: {error.strerror}") from error


def self_test(bundle: Bundle) -> None:
    """
    Ask the model its own examples.

    Raises:
        ArtifactSelfTest: A label differs, or a number by more than the manifest's tolerance.
    """
    examples = bundle.manifest.examples
    try:
        batch = bundle.manifest.signature.check(list(zip(*examples.instances, strict=True)))
    except ValueError as error:
        raise ArtifactSelfTest("the examples are not rows of the model's columns") from error
    if batch.faults:
        raise ArtifactSelfTest("the examples do not pass the columns' own check")
    try:
        got = bundle.predict(batch.data, probabilities=examples.probabilities is not None)
    except Exception as error:
        # A third-party estimator may raise anything here; whatever it is, the version is not fit to serve.
        raise ArtifactSelfTest(f"the model fails on its own examples: {type(error).__name__}") from error
    if got.labels.tolist() != list(examples.predictions):
        raise ArtifactSelfTest("the model gives other labels for its own examples than when it was published")
    if examples.probabilities is None:
        return
    try:
        distance = np.abs(np.asarray(got.probabilities) - np.asarray(examples.probabilities)).max()
    except ValueError as error:
        raise ArtifactSelfTest("the examples do not have a probability a class") from error
    if not distance <= bundle.manifest.tolerance:
        raise ArtifactSelfTest(f"the probabilities of the examples differ by {distance:g} from the published ones")


def write_synced(path: Path, content: bytes) -> None:
    """Write a file and wait until the disk has it."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the disk has a folder's entries: after a rename, the rename itself."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unpickle(pickled: bytes) -> Estimator:
    try:
        loaded: object = joblib.load(io.BytesIO(pickled))
    except Exception as error:
        # Unpickling runs code, which may raise anything; the reason's class is all that is passed on.
        raise ArtifactUnloadable(f"{MODEL} cannot be loaded: {type(error).__name__}: {error}") from error
    if not (hasattr(loaded, "predict") and isinstance(getattr(loaded, "classes_", None), np.ndarray)):
        raise ArtifactUnloadable(f"{MODEL} holds a {type(loaded).__name__}, which cannot predict classes")
    return cast(Estimator, loaded)
