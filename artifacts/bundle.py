"""One version in memory: its folder is verified, then the very bytes that were verified are loaded and tested."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from artifacts import own_code
from artifacts.errors import ArtifactFormat, ArtifactSchema, ArtifactUnloadable, ArtifactVersion
from artifacts.folders import Folder
from artifacts.manifest import Label, Manifest
from artifacts.own_code import OwnCode
from artifacts.predictions import NO_CLASS, Predictions, label_map
from artifacts.runtimes import Runtime
from artifacts.runtimes.program import CompiledProgram, Program, unpack
from artifacts.runtimes.sklearn_runtime import SKLEARN, SklearnRuntime, check_columns, unpickle
from artifacts.self_test import self_test
from artifacts.settings import Engine, Policy
from artifacts.signature import Table
from artifacts.signing import PublicKey
from artifacts.text import shorten
from artifacts.version_folder import CARD, CODE, LABELS, MANIFEST, MODEL, PROGRAMS, Identity, label_lines, verify
from artifacts.versions import compare


@dataclass(frozen=True, slots=True)
class Bundle:
    """
    One version in memory, verified; never changed once built.

    Attributes:
        labels: Shape (classes + 1,), see `Predictions.label_map`.
        runtime: What predicts.
        card: The model card, the bytes that were verified; None if the version has none.
        key: The id of the key that signed it.
        incompatible, differing: The libraries whose installed version differs from the one that fitted the model, see
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
        """Whether the model predicts probabilities."""
        return self.runtime.has_probabilities

    def predict(self, table: Table, *, probabilities: bool = True) -> Predictions:
        """Predict a checked table."""
        predictions = self.runtime.predict(table, probabilities=probabilities)
        predictions.label_map = self.labels
        return predictions

    def no_predictions(self, rows: int, *, probabilities: bool) -> Predictions:
        """Return what stands for so many rows that have no prediction."""
        classes = len(self.manifest.classes)
        spread = np.full((rows, classes), np.nan) if probabilities and self.has_probabilities else None
        return Predictions(np.full(rows, NO_CLASS) if classes else np.full(rows, np.nan), spread, self.labels)


def load(
    folder: Folder,
    of: Identity,
    *,
    trusted: Sequence[PublicKey],
    engine: Engine = "auto",
    versions: Policy = "refuse",
    trial: Callable[[Manifest], object] | None = None,
) -> Bundle:
    """
    Load a version: signature, manifest, digests, the very bytes that were digested, then the self-test.

    Before the signature is verified, no other file is parsed and nothing is unpickled.

    Args:
        folder: Of the version.
        of: Which version it must be.
        trusted: The keys whose signatures are valid.
        engine: `auto` executes the model as was measured to be the fastest; if that is a program, nothing is unpickled.
        versions: Whether a version that was fitted with incompatible libraries is refused.
        trial: Called once the files are verified and before anything of them is loaded, see `trial.Trials`.

    Raises:
        ArtifactError: It is not signed by a trusted key, not complete, or not a model that predicts as it did; each
            class in `artifacts.errors` is one reason.
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
        lines = label_lines.validate_json(contents[LABELS])
    except ValidationError as error:
        raise ArtifactFormat(f"{LABELS} is not a list of class and label") from error
    if manifest.classes != tuple(line.label for line in lines):
        raise ArtifactFormat(f"{MANIFEST} lists other classes than {LABELS}")
    return lines


def _runtime(
    manifest: Manifest, contents: Mapping[str, bytes], lines: tuple[Label, ...], choice: Mapping[int, str]
) -> Runtime:
    programs = unpack(contents[PROGRAMS]) if {SKLEARN} != set(choice.values()) else {}
    _check_fitted(manifest, programs)
    runtimes: dict[str, Runtime] = dict(programs)
    if SKLEARN in choice.values():
        runtimes[SKLEARN] = _estimator(manifest, contents, lines)
    absent = sorted(set(choice.values()) - runtimes.keys())
    if absent:
        raise ArtifactUnloadable(f"{PROGRAMS} does not hold {shorten(absent[0])}, which {MANIFEST} chooses")
    return CompiledProgram(runtimes, choice)


def _check_fitted(manifest: Manifest, programs: Mapping[str, Program]) -> None:
    """
    Compare the columns of the manifest with those that the model was fitted on, as publication recorded them.

    A program holds their names. Older programs do not, and estimators fitted on an array know no names: for these, the
    order of the reference distributions is that of the columns.

    Raises:
        ArtifactSchema: They are others, or in another order.
    """
    names = manifest.signature.names
    recorded = {program.columns for program in programs.values() if program.columns}
    order = [name for name in names if name in manifest.reference]
    if recorded - {tuple(names)} or order != list(manifest.reference):
        raise ArtifactSchema("the columns of the manifest are not those that the model was fitted on, in their order")


def _estimator(manifest: Manifest, contents: Mapping[str, bytes], lines: tuple[Label, ...]) -> SklearnRuntime:
    code = None
    if manifest.code:
        try:
            sources = own_code.unpack(contents[CODE], manifest.code)
        except ValueError as error:
            raise ArtifactFormat(f"{CODE} cannot be read: {error}") from error
        code = OwnCode(sources, of=f"{manifest.model}@{manifest.version}")
    estimator = unpickle(contents[MODEL], file=MODEL, code=code)
    check_columns(estimator, manifest.signature)
    classes = getattr(estimator, "classes_", None)
    if lines and (not isinstance(classes, np.ndarray) or classes.tolist() != [line.value for line in lines]):
        raise ArtifactUnloadable(f"{LABELS} does not name the classes of the model, one line per class")
    return SklearnRuntime(estimator, manifest.signature, classifies=bool(lines), code=code)
