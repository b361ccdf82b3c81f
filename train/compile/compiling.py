"""Try every candidate program: compile the model, prove it equal, measure it, and choose the fastest."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from artifacts.manifest import Candidate, Execution
from artifacts.runtimes.program import Program, pack, unpack
from artifacts.runtimes.sklearn_runtime import SKLEARN, SklearnRuntime
from artifacts.signature import Signature, Table
from train.compile.errors import NotLowered
from train.compile.models import Lowered, lower
from train.compile.parity import Parity
from train.compile.proof import Proof
from train.compile.sources import Source
from train.compile.timing import choose, measure
from train.compile.trees import Form
from train.fitted_model import FittedModel
from train.rows import Rows, native_values

FORMS: Sequence[Form] = ("trees", "treelite")


@dataclass(frozen=True, slots=True)
class Compilation:
    """
    The result of compiling.

    Attributes:
        execution: What the manifest records of it.
        programs: The file of the chosen programs; None if the estimator itself is fastest.
    """

    execution: Execution
    programs: bytes | None


def compile_model(model: FittedModel, rows: Rows, *, tolerance: float) -> Compilation:
    """
    Compile a model to the fastest programs that are equal to it.

    Args:
        model: The fitted estimator, with its signature.
        rows: The training rows.
        tolerance: How far a number may differ.
    """
    # One thread, as in a server: on few rows several threads are slower.
    with threadpool_limits(1), warnings.catch_warnings():
        # Steps of a pipeline that was fitted on a frame are called with arrays.
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        return _compiled(model, as_table(model.signature, rows), tolerance)


def _compiled(model: FittedModel, table: Table, tolerance: float) -> Compilation:
    proof: Proof | None = None
    original = SklearnRuntime(model.estimator, model.signature, classifies=model.is_classifier)
    tried: list[Candidate] = []
    programs: dict[str, Program] = {}
    names = tuple(model.signature.names)
    for name, lowered in _candidates(model):
        if isinstance(lowered, NotLowered):
            tried.append(Candidate(name=name, refused=str(lowered)))
            continue
        proof = proof or Proof(model, table, tolerance=tolerance)
        try:
            # As a server gets it: from its file.
            program = unpack(pack({name: Program(lowered.source.step, lowered.head, names)}))[name]
            parity, refused = proof.compare(program, lowered.trees)
        except Exception as error:  # noqa: BLE001  # an estimator that cannot be compiled can still be published
            parity, refused = Parity(), f"its program cannot be tried: {type(error).__name__}"
        tried.append(_candidate(name, parity, refused))
        if not refused:
            programs[name] = program
    times = measure({SKLEARN: original, **programs}, table, columns=len(model.signature.columns))
    choice = choose(times)
    measured = [each.model_copy(update={"microseconds": times.get(each.name, {})}) for each in tried]
    execution = Execution(candidates=(Candidate(name=SKLEARN, microseconds=times[SKLEARN]), *measured), choice=choice)
    chosen = {name: program for name, program in programs.items() if name in choice.values()}
    return Compilation(execution, pack(chosen) if chosen else None)


def as_table(signature: Signature, rows: Rows) -> Table:
    """Return the training rows as the table that a runtime predicts."""
    arrays = []
    for column in signature.columns:
        values = rows.frame[column.name]
        is_numpys = isinstance(values.dtype, np.dtype) and values.dtype != object
        if is_numpys and column.dtype != "U":
            arrays.append(values.to_numpy())
            continue
        native: NDArray[Any] = np.empty(len(values), dtype=object)
        native[:] = native_values(values)
        arrays.append(native.astype("U") if column.dtype == "U" else native)
    return signature.table(arrays)


def _candidates(model: FittedModel) -> list[tuple[str, Lowered | NotLowered]]:
    """Return every candidate by its name; without trees, all forms are the same."""
    found: list[tuple[str, Lowered | NotLowered]] = []
    for form in FORMS:
        try:
            lowered = lower(model.estimator, Source.of(model.signature), form)
        except NotLowered as reason:
            found.append((form, reason))
            continue
        except Exception as error:  # noqa: BLE001  # an estimator that cannot be compiled can still be published
            # Without the text, which may quote a value of the training rows: the manifest and the card show the reason.
            found.append((form, NotLowered(f"it cannot be compiled: {type(error).__name__}")))
            continue
        if not lowered.trees:
            return [("numpy", lowered)]
        found.append((form, lowered))
    reasons = {str(reason) for _, reason in found}
    return [("numpy", found[0][1])] if len(reasons) == 1 and isinstance(found[0][1], NotLowered) else found


def _candidate(name: str, parity: Parity, refused: str) -> Candidate:
    return Candidate(
        name=name,
        refused=refused,
        rows=parity.rows,
        disagreements=parity.disagreements,
        largest_difference=parity.largest,
    )
