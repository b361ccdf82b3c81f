"""All that a candidate is asked before it is admitted, and what the estimator says to it."""

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artifacts.predictions import Predictions
from artifacts.runtimes import Runtime
from artifacts.runtimes.original import SklearnRuntime, ask
from artifacts.runtimes.program import Program
from artifacts.signature import Table
from train.compile.errors import NotLowered
from train.compile.models import Trees
from train.compile.parity import Ask, Parity, ParityCase
from train.compile.samples import drawn, extreme, too_large
from train.compile.thresholds import Adversarial
from train.fitted_model import FittedModel

_DRAWN = 2_000
# Of a table with many columns fewer rows are drawn, so that the values are no more than these, or the rows than those.
_DRAWN_CELLS = 2_000_000
_FEWEST_DRAWN = 200
_STRANGE = 100
# So many rows are sent one by one, fewer of a table with many columns.
_ALONE = 32
_ALONE_CELLS = 8_000
_FEWEST_ALONE = 8
_BASES = 64


class Proof:
    """The rows of training, drawn ones, odd ones, some alone; and of trees every threshold. Each is asked once."""

    def __init__(self, model: FittedModel, table: Table, *, tolerance: float) -> None:
        """
        Ask the estimator.

        Args:
            model: The fitted estimator, with its columns.
            table: The rows of training.
            tolerance: How far a number may differ.
        """
        self.original = SklearnRuntime(model.estimator, model.signature, classifies=model.is_classifier)
        self._table = table
        self._tolerance = tolerance
        whole, signature = _asking(self.original), model.signature
        width = len(signature.columns)
        rows = min(_DRAWN, max(_FEWEST_DRAWN, _DRAWN_CELLS // width))
        alone = min(_ALONE, max(_FEWEST_ALONE, _ALONE_CELLS // width))
        chosen = (
            drawn(signature, rows),
            drawn(signature, _STRANGE, strange=True),
            extreme(signature),
            too_large(signature),
        )
        self._questions = [
            *(ParityCase.of(whole, rows) for rows in (table, *chosen)),
            ParityCase.of(whole, _some(table, alone), batch=1),
        ]
        self._at_thresholds: dict[int, tuple[ParityCase, ...]] = {}

    def try_out(self, program: Program, trees: Sequence[Trees]) -> tuple[Parity, str]:
        """What was compared, and why the program is refused; an empty text if it is not."""
        if self.original.has_probabilities != program.has_probabilities:
            return Parity(), "one gives probabilities and the other does not"
        found, tolerance = Parity(), self._tolerance
        try:
            for question in self._questions:
                found += question.put(_asking(program), tolerance=tolerance)
            for each in trees:
                # Of the program as it was read from its file, and of nothing that it was made of.
                head = each.head_in(program.head)
                for question in self._thresholds(each, head):
                    found += question.put(_head_of(head), tolerance=tolerance)
        except NotLowered as reason:
            return found, str(reason)
        if found.disagreements:
            apart = (
                f"; numbers are {found.largest:.2g} apart at most, and may be {tolerance:g}" if found.largest else ""
            )
            return found, f"{found.disagreements:,} of {found.rows:,} rows got another answer{apart}"
        return found, ""

    def _thresholds(self, trees: Trees, head: Any) -> tuple[ParityCase, ...]:
        """A model of trees on every threshold, called with the arrays that it is handed in its pipeline."""
        known = self._at_thresholds.get(id(trees.model))
        if known is None:
            expected, base = _model_of(trees.model), trees.step(_some(self._table, _BASES))
            nothing = base[:1].astype(np.float64)
            nothing[:, 0] = np.nan
            rows = Adversarial(trees.model, head, base, nulls=_takes(expected, nothing))
            known = (ParityCase.of(expected, nothing), ParityCase.of_batches(expected, rows))
            self._at_thresholds[id(trees.model)] = known
        return known


def _takes(ask: Ask, rows: NDArray[Any]) -> bool:
    try:
        ask(rows)
    except ValueError:
        return False
    return True


def _some(table: Table, rows: int) -> Table:
    """So many rows, evenly spaced."""
    return table[np.unique(np.linspace(0, len(table) - 1, min(rows, len(table))).astype(np.intp))]


def _asking(runtime: Runtime) -> Ask:
    return lambda rows: runtime.predict(rows, probabilities=True)


def _head_of(head: Any) -> Ask:
    def answer(rows: NDArray[Any]) -> Predictions:
        with np.errstate(all="ignore"):
            told: Predictions = head(rows, probabilities=head.has_probabilities)
        return told

    return answer


def _model_of(model: Any) -> Ask:
    """A model in the middle of a pipeline, asked for the array that its encoder makes of the categories."""
    bare = copy(model)
    if getattr(model, "_preprocessor", None) is not None:
        bare._preprocessor = None  # noqa: SLF001  # histogram boosting has no public way behind its own encoder
    classifies = hasattr(model, "classes_")
    has_probabilities = classifies and hasattr(model, "predict_proba")

    return lambda rows: ask(bare, rows, classifies=classifies, probabilities=has_probabilities)
