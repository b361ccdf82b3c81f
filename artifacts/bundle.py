"""One version on disk: written whole, verified before anything of it is unpickled."""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import TypeAdapter, ValidationError

from artifacts.answers import Answer, label_map
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
from artifacts.runtimes import Runtime
from artifacts.runtimes.original import SKLEARN, Estimator, Original, unpickle
from artifacts.runtimes.program import Chosen, unpack
from artifacts.settings import Engine
from artifacts.signature import Table

MANIFEST = "manifest.json"
MODEL = "model.joblib"
LABELS = "labels.json"
CARD = "card.html"
PROGRAMS = "runtime.npz"

_label_map = TypeAdapter(tuple[Label, ...])


@dataclass(frozen=True, slots=True)
class Bundle:
    """
    One version in memory, verified; never changed once built.

    Attributes:
        labels: Shape (classes + 1,), see `Answer.map`.
        runtime: What answers.
    """

    manifest: Manifest
    labels: NDArray[np.object_] | None
    runtime: Runtime

    @property
    def has_probabilities(self) -> bool:
        """Whether the model says how sure it is."""
        return self.runtime.has_probabilities

    def predict(self, table: Table, *, probabilities: bool = True) -> Answer:
        """Answer a checked table."""
        told = self.runtime.predict(table, probabilities=probabilities)
        return Answer(told.predicted, told.probabilities, self.labels)


@dataclass(frozen=True, slots=True)
class Content:
    """
    What a version is made of.

    Attributes:
        pickled: The estimator, as joblib writes it.
        labels: One line a class, in the estimator's order; empty where it predicts numbers.
        card: Writes the page for people once the version has its number; None where nobody wants one.
        programs: What answers in place of the estimator, see `runtimes.program.pack`; None where nothing does.
    """

    promise: Promise
    pickled: bytes
    labels: tuple[Label, ...] = ()
    card: Callable[[Manifest], bytes] | None = None
    programs: bytes | None = None


def write(folder: Path, content: Content, *, model: str, version: int) -> Manifest:
    """
    Write a version into an empty folder, every file synced to disk.

    The manifest comes last: a folder without one holds no version.
    """
    contents = {MODEL: content.pickled}
    if content.labels:
        contents[LABELS] = _label_map.dump_json(content.labels, indent=2, by_alias=True)
    if content.programs is not None:
        contents[PROGRAMS] = content.programs
    known = {**dict(content.promise), "model": model, "version": version, "created_at": datetime.now(UTC)}
    manifest = Manifest(**known, files=_digests(contents))
    if content.card:
        contents[CARD] = content.card(manifest)
        manifest = Manifest(**known, files=_digests(contents))
    for name, file in {**contents, MANIFEST: manifest.model_dump_json(indent=2).encode()}.items():
        write_synced(folder / name, file)
    sync_folder(folder)
    return manifest


def _digests(contents: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def read(folder: Path, *, engine: Engine = "auto") -> Bundle:
    """
    Load a version: manifest, digests, the very bytes that were digested, then the model's own examples.

    Args:
        folder: Of the version.
        engine: `auto` takes what was measured to be the quickest; where that is a program, nothing is unpickled.

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
    lines = _read_labels(manifest, contents) if manifest.task == "classification" else ()
    bundle = Bundle(manifest, label_map([line.label for line in lines]), _runtime(manifest, contents, lines, engine))
    self_test(bundle)
    return bundle


def _read_labels(manifest: Manifest, contents: Mapping[str, bytes]) -> tuple[Label, ...]:
    try:
        lines = _label_map.validate_json(contents[LABELS])
    except ValidationError as error:
        raise ArtifactFormat(f"{LABELS} is not a list of class and label") from error
    if manifest.classes != tuple(line.label for line in lines):
        raise ArtifactFormat(f"{MANIFEST} lists other classes than {LABELS}")
    return lines


def _runtime(manifest: Manifest, contents: Mapping[str, bytes], lines: tuple[Label, ...], engine: Engine) -> Runtime:
    choice = manifest.execution.choice if manifest.execution and engine == "auto" else {1: SKLEARN}
    programs: dict[str, Runtime] = dict(unpack(contents[PROGRAMS])) if {SKLEARN} != set(choice.values()) else {}
    if SKLEARN in choice.values():
        estimator = _estimator(contents[MODEL], lines)
        programs[SKLEARN] = Original(estimator, manifest.signature, classifies=bool(lines))
    return Chosen(programs, choice)


def _estimator(pickled: bytes, lines: tuple[Label, ...]) -> Estimator:
    estimator = unpickle(pickled, file=MODEL)
    classes = getattr(estimator, "classes_", None)
    if lines and (not isinstance(classes, np.ndarray) or classes.tolist() != [line.value for line in lines]):
        raise ArtifactUnloadable(f"{LABELS} does not name the classes of the model, one line a class")
    return estimator


def verify(folder: Path) -> tuple[Manifest, Mapping[str, bytes]]:
    """Read a version's bytes and hold them against its manifest; nothing is unpickled."""
    manifest = read_manifest(folder)
    with handed_out(), os.scandir(folder) as entries:
        is_plain = {entry.name: entry.is_file(follow_symlinks=False) for entry in entries}
    listed = {*manifest.files, MANIFEST}
    needed = {MODEL} | ({LABELS} if manifest.task == "classification" else set())
    if manifest.execution and set(manifest.execution.choice.values()) != {SKLEARN}:
        needed.add(PROGRAMS)
    missing = {name for name in listed | needed if not is_plain.get(name, False)}
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
    Ask the model its own examples, in each way in which it may be executed.

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
    for runtime in bundle.runtime.parts:
        _test(replace(bundle, runtime=runtime), batch.data)


def _test(bundle: Bundle, table: Table) -> None:
    examples = bundle.manifest.examples
    try:
        got = bundle.predict(table, probabilities=examples.probabilities is not None)
    except Exception as error:
        # A third-party estimator may raise anything here; whatever it is, the version is not fit to serve.
        raise ArtifactSelfTest(f"the model fails on its own examples: {type(error).__name__}") from error
    tolerance = bundle.manifest.tolerance
    if bundle.labels is None:
        _compare("predictions", got.labels, examples.predictions, tolerance)
    elif got.labels.tolist() != list(examples.predictions):
        raise ArtifactSelfTest("the model gives other labels for its own examples than when it was published")
    if examples.probabilities is not None:
        _compare("probabilities", got.probabilities, examples.probabilities, tolerance)


def distance(got: ArrayLike, published: ArrayLike) -> float:
    """How far two arrays are apart at most: of numbers beyond 1, in parts of their size; NaN if their shapes differ."""
    there, here = np.asarray(published, dtype=np.float64), np.asarray(got, dtype=np.float64)
    if there.shape != here.shape:
        return np.nan
    return float((np.abs(here - there) / np.maximum(1.0, np.abs(there))).max(initial=0.0))


def _compare(what: str, got: Any, published: ArrayLike, tolerance: float) -> None:
    try:
        apart = distance(got, published)
    except (ValueError, TypeError) as error:
        raise ArtifactSelfTest(f"the {what} of the examples are no table of numbers") from error
    if not apart <= tolerance:
        raise ArtifactSelfTest(f"the {what} of the examples differ by {apart:g} from the published ones")


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
