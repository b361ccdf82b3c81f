"""Try every candidate: replay the model, prove it, measure it, and choose."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from artifacts.manifest import Candidate, Execution
from artifacts.runtimes.original import SKLEARN, SklearnRuntime
from artifacts.runtimes.program import Program, pack, unpack
from artifacts.signature import Signature, Table
from train.compile.errors import NotLowered
from train.compile.models import Form, Lowered, lower
from train.compile.parity import Parity
from train.compile.proof import Proof
from train.compile.sources import Source
from train.compile.timing import choose, measure
from train.fitted_model import FittedModel
from train.rows import Rows, native_values

FORMS: Sequence[Form] = ("trees", "treelite")


@dataclass(frozen=True, slots=True)
class Compilation:
    """
    What came of it.

    Attributes:
        execution: What the manifest tells of it.
        programs: The file of those that were chosen; None where scikit-learn itself answers.
    """

    execution: Execution
    programs: bytes | None


def compile_model(model: FittedModel, rows: Rows, *, tolerance: float) -> Compilation:
    """
    Make what is quickest and exact.

    Args:
        model: The fitted estimator, with its columns.
        rows: The rows of training.
        tolerance: How far a number may differ.
    """
    # One thread, as a server has it: on few rows several only wait for each other.
    with threadpool_limits(1), warnings.catch_warnings():
        # Parts of a pipeline that was fitted on a frame are model with arrays.
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
            # As a server will have it: from its file.
            program = unpack(pack({name: Program(lowered.source.step, lowered.head, names)}))[name]
            found, refused = proof.try_out(program, lowered.trees)
        except Exception as error:  # noqa: BLE001  # whatever an estimator is made of, it can be published as it is
            found, refused = Parity(), f"its replay cannot be tried: {type(error).__name__}: {error}"
        tried.append(_told(name, found, refused))
        if not refused:
            programs[name] = program
    times = measure({SKLEARN: original, **programs}, table, columns=len(model.signature.columns))
    choice = choose(times)
    told = [each.model_copy(update={"microseconds": times.get(each.name, {})}) for each in tried]
    execution = Execution(candidates=(Candidate(name=SKLEARN, microseconds=times[SKLEARN]), *told), choice=choice)
    chosen = {name: program for name, program in programs.items() if name in choice.values()}
    return Compilation(execution, pack(chosen) if chosen else None)


def as_table(signature: Signature, rows: Rows) -> Table:
    """The rows of training as a runtime is model them."""
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
    """Every candidate by its name; where there are no trees, all forms are one."""
    found: list[tuple[str, Lowered | NotLowered]] = []
    for form in FORMS:
        try:
            lowered = lower(model.estimator, Source.of(model.signature), form)
        except NotLowered as reason:
            found.append((form, reason))
            continue
        except Exception as error:  # noqa: BLE001  # whatever an estimator is made of, it can be published as it is
            found.append((form, NotLowered(f"its replay cannot be made: {type(error).__name__}: {error}")))
            continue
        if not lowered.trees:
            return [("numpy", lowered)]
        found.append((form, lowered))
    reasons = {str(reason) for _, reason in found}
    return [("numpy", found[0][1])] if len(reasons) == 1 and isinstance(found[0][1], NotLowered) else found


def _told(name: str, found: Parity, refused: str) -> Candidate:
    return Candidate(
        name=name,
        refused=refused,
        rows=found.rows,
        disagreements=found.disagreements,
        largest_difference=found.largest,
    )
