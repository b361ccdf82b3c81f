"""One version on disk: written whole and signed, verified before anything of it is unpickled."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import TypeAdapter, ValidationError

from artifacts import own_code
from artifacts.errors import (
    ArtifactDigest,
    ArtifactFormat,
    ArtifactIncomplete,
    ArtifactMissing,
    ArtifactPath,
    ArtifactRollback,
    ArtifactSchema,
    ArtifactSelfTest,
    ArtifactSignature,
    ArtifactUnloadable,
    ArtifactUntrusted,
    ArtifactVersion,
)
from artifacts.files import sync_folder, write_synced
from artifacts.folders import Folder, TooLarge, artifact_errors
from artifacts.manifest import Label, Manifest, Promise, parse
from artifacts.own_code import OwnCode
from artifacts.predictions import NO_CLASS, Predictions, label_map
from artifacts.runtimes import Runtime
from artifacts.runtimes.original import SKLEARN, Estimator, SklearnRuntime, check_columns, unpickle
from artifacts.runtimes.program import CompiledProgram, Program, unpack
from artifacts.settings import Engine, Policy
from artifacts.signature import Signature, Table
from artifacts.signing import PublicKey, Signer, check
from artifacts.text import class_name, shorten
from artifacts.versions import compare

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
# Of a file whose size the manifest does not say, as those of the first releases do not.
_LARGEST = 4 * 2**30

_label_map = TypeAdapter(tuple[Label, ...])


class Identity(NamedTuple):
    """Which version a folder must hold."""

    model: str
    version: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """
    One version in memory, verified; never changed once built.

    Attributes:
        labels: Shape (classes + 1,), see `Predictions.label_map`.
        runtime: What answers.
        card: The model card, as its digest has it; None where there is none.
        key: The id of the key that signed it.
        incompatible, differing: The libraries whose installed version differs from that which fitted it, see
            `versions.Differences`.
    """

    manifest: Manifest
    labels: NDArray[np.object_] | None
    runtime: Runtime
    key: str = ""
    incompatible: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()
    card: bytes | None = None

    @property
    def has_probabilities(self) -> bool:
        """Whether the model says how sure it is."""
        return self.runtime.has_probabilities

    def predict(self, table: Table, *, probabilities: bool = True) -> Predictions:
        """Answer a checked table."""
        predictions = self.runtime.predict(table, probabilities=probabilities)
        predictions.label_map = self.labels
        return predictions

    def no_predictions(self, rows: int, *, probabilities: bool) -> Predictions:
        """Return what stands for so many rows that have no prediction."""
        classes = len(self.manifest.classes)
        spread = np.full((rows, classes), np.nan) if probabilities and self.has_probabilities else None
        return Predictions(np.full(rows, NO_CLASS) if classes else np.full(rows, np.nan), spread, self.labels)


@dataclass(frozen=True, slots=True)
class Content:
    """
    What a version is made of.

    Attributes:
        pickled: The estimator, as joblib writes it.
        labels: One line a class, in the estimator's order; empty where it predicts numbers.
        card: Writes the page for people once the version has its number; None where nobody wants one.
        programs: What answers in place of the estimator, see `runtimes.program.pack`; None where nothing does.
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
        contents[LABELS] = _label_map.dump_json(content.labels, indent=2, by_alias=True)
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


def read(
    folder: Folder,
    of: Identity,
    *,
    trusted: Sequence[PublicKey],
    engine: Engine = "auto",
    versions: Policy = "refuse",
    trial: Callable[[Manifest], object] | None = None,
) -> Bundle:
    """
    Load a version: manifest, signature, digests, the very bytes that were digested, then the model's own examples.

    Nothing but the signature is read, parsed or unpickled before the signature holds.

    Args:
        folder: Of the version.
        of: Which version it must be.
        trusted: Whose signatures count.
        engine: `auto` takes what was measured to be the quickest; where that is a program, nothing is unpickled.
        versions: What becomes of a version that other libraries fitted.
        trial: Called once the files are verified and before anything of them is loaded, see `trial.Trials`.

    Raises:
        ArtifactError: It is not to be trusted, not whole, or no model that answers as it did; each of the tree's
            leaves in `artifacts.errors` is one reason.
    """
    manifest, contents, key = verify(folder, of, trusted=trusted)
    choice = manifest.execution.choice if manifest.execution and engine == "auto" else {1: SKLEARN}
    differences = compare(manifest, set(choice.values()))
    if differences.incompatible and versions == "refuse":
        raise ArtifactVersion(differences.incompatible)
    if trial:
        trial(manifest)
    lines = _read_labels(manifest, contents) if manifest.task == "classification" else ()
    bundle = Bundle(
        manifest,
        label_map([line.label for line in lines]),
        _runtime(manifest, contents, lines, choice),
        key=key.id,
        incompatible=differences.incompatible,
        differing=differences.differing,
        card=contents.get(CARD),
    )
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


def _runtime(
    manifest: Manifest, contents: Mapping[str, bytes], lines: tuple[Label, ...], choice: Mapping[int, str]
) -> Runtime:
    made = unpack(contents[PROGRAMS]) if {SKLEARN} != set(choice.values()) else {}
    _check_fitted(manifest, made)
    programs: dict[str, Runtime] = dict(made)
    if SKLEARN in choice.values():
        code = _own_code(manifest, contents)
        estimator = _estimator(contents[MODEL], lines, manifest.signature, code)
        programs[SKLEARN] = SklearnRuntime(estimator, manifest.signature, classifies=bool(lines), code=code)
    absent = sorted(set(choice.values()) - programs.keys())
    if absent:
        raise ArtifactUnloadable(f"{PROGRAMS} does not hold {shorten(absent[0])}, which shall answer")
    return CompiledProgram(programs, choice)


def _check_fitted(manifest: Manifest, programs: Mapping[str, Program]) -> None:
    """
    Compare the columns of the manifest with those that the model was fitted on, as publishing noted them.

    A program holds their names. Older programs do not, and estimators fitted on an array know no names: of these, the
    distributions of training tell the order, which are written in that of the columns.

    Raises:
        ArtifactSchema: They are others, or in another order.
    """
    names = manifest.signature.names
    noted = {program.columns for program in programs.values() if program.columns}
    order = [name for name in names if name in manifest.reference]
    if noted - {tuple(names)} or order != list(manifest.reference):
        raise ArtifactSchema("the columns of the manifest are not those that the model was fitted on, in their order")


def _own_code(manifest: Manifest, contents: Mapping[str, bytes]) -> OwnCode | None:
    if not manifest.code:
        return None
    try:
        sources = own_code.unpack(contents[CODE], manifest.code)
    except ValueError as error:
        raise ArtifactFormat(f"{CODE} cannot be read: {error}") from error
    return OwnCode(sources, of=f"{manifest.model}@{manifest.version}")


def _estimator(
    pickled: bytes, lines: tuple[Label, ...], signature: Signature, code: OwnCode | None = None
) -> Estimator:
    estimator = unpickle(pickled, file=MODEL, code=code)
    check_columns(estimator, signature)
    classes = getattr(estimator, "classes_", None)
    if lines and (not isinstance(classes, np.ndarray) or classes.tolist() != [line.value for line in lines]):
        raise ArtifactUnloadable(f"{LABELS} does not name the classes of the model, one line a class")
    return estimator


def verify(
    folder: Folder, of: Identity, *, trusted: Sequence[PublicKey]
) -> tuple[Manifest, Mapping[str, bytes], PublicKey]:
    """Read a version's bytes, who signed them, and hold them against its manifest; nothing is unpickled."""
    document, key = _read_signed(folder, of, trusted)
    manifest = parse(document)
    return manifest, _read_files(folder, manifest, of), key


def verified_manifest(folder: Folder, of: Identity, *, trusted: Sequence[PublicKey]) -> tuple[Manifest, PublicKey]:
    """A version's manifest, and who signed it; its files are not looked at."""
    document, key = _read_signed(folder, of, trusted)
    manifest = parse(document)
    _demand(manifest, of)
    return manifest, key


def signature_of(folder: Folder, of: Identity, signer: Signer) -> bytes:
    """The signature of a version whose files are those that its manifest lists; nothing is unpickled."""
    document = _read_document(folder, of)
    _read_files(folder, parse(document), of)
    return signer.sign(document)


def _read_files(folder: Folder, manifest: Manifest, of: Identity) -> Mapping[str, bytes]:
    """Every file that the manifest lists, as it lists it."""
    _demand(manifest, of)
    for name in manifest.files:
        if FILE.fullmatch(name) is None:
            raise ArtifactPath(name, "listed in the manifest, and no name of a file beside it")
    listed = {*manifest.files, MANIFEST, SIGNATURE}
    needed = {MODEL} | ({LABELS} if manifest.task == "classification" else set())
    if manifest.execution and set(manifest.execution.choice.values()) != {SKLEARN}:
        needed.add(PROGRAMS)
    if manifest.code:
        needed.add(CODE)
    there = folder.names()
    # A version that is about to be signed has no signature yet.
    missing, unlisted = (listed - {SIGNATURE} | needed) - there, there - listed
    if missing or unlisted:
        raise ArtifactIncomplete(missing=missing, unlisted=unlisted)
    return {name: _read_file(folder, manifest, name) for name in manifest.files}


def _read_file(folder: Folder, manifest: Manifest, name: str) -> bytes:
    try:
        content = folder.read(name, most=manifest.sizes.get(name, _LARGEST))
    except TooLarge as error:
        raise ArtifactDigest(name) from error
    except FileNotFoundError as error:
        raise ArtifactIncomplete(missing=[name]) from error
    if hashlib.sha256(content).hexdigest() != manifest.files[name]:
        raise ArtifactDigest(name)
    return content


def _demand(manifest: Manifest, of: Identity) -> None:
    """An older version that was put into the place of a newer one was signed as well, but not as that one."""
    if (manifest.model, manifest.version) != of:
        raise ArtifactRollback(
            f"the folder of {of.model} version {of.version} holds {shorten(manifest.model)} version {manifest.version}"
        )


def _read_signed(folder: Folder, of: Identity, trusted: Sequence[PublicKey]) -> tuple[bytes, PublicKey]:
    """The manifest's bytes, and who signed them."""
    try:
        document = _read_document(folder, of)
    except ArtifactMissing as error:
        if folder.names():
            raise ArtifactUntrusted(f"there are files and no {MANIFEST}, so nobody can have signed them") from error
        raise
    return document, check(document, _read_signature(folder), trusted)


def _read_document(folder: Folder, of: Identity) -> bytes:
    try:
        return folder.read(MANIFEST, most=LARGEST_MANIFEST)
    except FileNotFoundError as error:
        raise ArtifactMissing(of.model, of.version) from error
    except TooLarge as error:
        raise ArtifactFormat(f"{MANIFEST} is larger than any manifest") from error


def _read_signature(folder: Folder) -> bytes | None:
    try:
        return folder.read(SIGNATURE, most=_LARGEST_SIGNATURE)
    except FileNotFoundError:
        return None
    except TooLarge as error:
        raise ArtifactSignature(f"{SIGNATURE} is no signature") from error


def read_manifest(folder: Folder, of: Identity) -> Manifest:
    """
    Read what a version's manifest says, whoever wrote it.

    Raises:
        ArtifactMissing: There is none.
        ArtifactFormat: It is not one.
    """
    return parse(_read_document(folder, of))


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
        raise ArtifactSelfTest(f"the model fails on its own examples: {class_name(error)}") from error
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
