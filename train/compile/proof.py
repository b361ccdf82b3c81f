"""The proof of parity: the rows on which a candidate must agree with the estimator before it is used."""

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artifacts.predictions import Predictions
from artifacts.runtimes import Runtime
from artifacts.runtimes.program import Program
from artifacts.runtimes.sklearn_runtime import SklearnRuntime, predict_rows
from artifacts.signature import Table
from train.compile.errors import NotLowered
from train.compile.models import Trees
from train.compile.parity import Parity, ParityCase, Predict
from train.compile.samples import drawn, extreme, too_large
from train.compile.thresholds import Adversarial
from train.fitted_model import FittedModel

_DRAWN = 2_000
# Of a table with many columns fewer rows are drawn: as many as have this many values, but at least so many rows.
_DRAWN_CELLS = 2_000_000
_FEWEST_DRAWN = 200
_STRANGE = 100
# So many rows are predicted one by one, fewer for a table with many columns.
_ALONE = 32
_ALONE_CELLS = 8_000
_FEWEST_ALONE = 8
_BASES = 64


class Proof:
    """Training rows, random rows, extreme rows and single rows; for trees, rows at every threshold."""

    def __init__(self, model: FittedModel, table: Table, *, tolerance: float) -> None:
        """
        Call the estimator with all rows, once.

        Args:
            model: The fitted estimator, with its columns.
            table: The rows of training.
            tolerance: How far a number may differ.
        """
        self.original = SklearnRuntime(model.estimator, model.signature, classifies=model.is_classifier)
        self._table = table
        self._tolerance = tolerance
        whole, signature = _predict_of(self.original), model.signature
        width = len(signature.columns)
        rows = min(_DRAWN, max(_FEWEST_DRAWN, _DRAWN_CELLS // width))
        alone = min(_ALONE, max(_FEWEST_ALONE, _ALONE_CELLS // width))
        chosen = (
            drawn(signature, rows),
            drawn(signature, _STRANGE, strange=True),
            extreme(signature),
            too_large(signature),
        )
        self._cases = [
            *(ParityCase.of(whole, rows) for rows in (table, *chosen)),
            ParityCase.of(whole, _some(table, alone), batch=1),
        ]
        self._at_thresholds: dict[int, tuple[ParityCase, ...]] = {}

    def compare(self, program: Program, trees: Sequence[Trees]) -> tuple[Parity, str]:
        """Compare a program with the estimator; return why it is refused, or an empty text."""
        if self.original.has_probabilities != program.has_probabilities:
            return Parity(), "only one of program and estimator has probabilities"
        found, tolerance = Parity(), self._tolerance
        try:
            for case in self._cases:
                found += case.compare(_predict_of(program), tolerance=tolerance)
            for each in trees:
                # The head of the program as it was read from its file.
                head = each.head_in(program.head)
                for case in self._thresholds(each, head):
                    found += case.compare(_head_of(head), tolerance=tolerance)
        except NotLowered as reason:
            return found, str(reason)
        if found.disagreements:
            apart = f"; numbers differ by up to {found.largest:.2g} (tolerance {tolerance:g})" if found.largest else ""
            return found, f"{found.disagreements:,} of {found.rows:,} rows got another prediction{apart}"
        return found, ""

    def _thresholds(self, trees: Trees, head: Any) -> tuple[ParityCase, ...]:
        """Return cases with rows at every threshold of a model, as the arrays that it gets in its pipeline."""
        known = self._at_thresholds.get(id(trees.model))
        if known is None:
            expected, base = _model_of(trees.model), trees.step(_some(self._table, _BASES))
            nothing = base[:1].astype(np.float64)
            nothing[:, 0] = np.nan
            rows = Adversarial(trees.model, head, base, nulls=_accepts(expected, nothing))
            known = (ParityCase.of(expected, nothing), ParityCase.of_batches(expected, rows))
            self._at_thresholds[id(trees.model)] = known
        return known


def _accepts(predict: Predict, rows: NDArray[Any]) -> bool:
    try:
        predict(rows)
    except ValueError:
        return False
    return True


def _some(table: Table, rows: int) -> Table:
    """Return so many rows, evenly spaced."""
    return table[np.unique(np.linspace(0, len(table) - 1, min(rows, len(table))).astype(np.intp))]


def _predict_of(runtime: Runtime) -> Predict:
    return lambda rows: runtime.predict(rows, probabilities=True)


def _head_of(head: Any) -> Predict:
    def predict(rows: NDArray[Any]) -> Predictions:
        with np.errstate(all="ignore"):
            predictions: Predictions = head(rows, probabilities=head.has_probabilities)
        return predictions

    return predict


def _model_of(model: Any) -> Predict:
    """Return how a model in a pipeline predicts the array that its encoder makes of the categories."""
    bare = copy(model)
    if getattr(model, "_preprocessor", None) is not None:
        bare._preprocessor = None  # noqa: SLF001  # there is no public access behind the encoder of histogram boosting
    classifies = hasattr(model, "classes_")
    has_probabilities = classifies and hasattr(model, "predict_proba")

    return lambda rows: predict_rows(bare, rows, classifies=classifies, probabilities=has_probabilities)
