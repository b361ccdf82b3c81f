"""A linear program for one row: its operations on numpy's arrays, all others on native floats, to the same bits."""

from collections.abc import Callable
from math import inf, isfinite
from typing import Any, TypeAlias

import numpy as np

from artifacts.predictions import Predictions
from artifacts.runtimes.heads import Linear
from artifacts.runtimes.steps import UFUNCS, Arithmetic, Chain, Matrix, Numbers

# With more columns, a loop over native floats takes longer than numpy does.
_MOST_COLUMNS = 64
# With more classes numpy adds in another order than one after the other, which would give other bits.
_MOST_CLASSES = 7
# Operations on smaller numbers cannot overflow. Otherwise numpy's warnings would have to be turned off, which takes as
# long as a step.
_LARGEST = 1e100

SingleRow: TypeAlias = Callable[[Matrix, bool], "Predictions | None"]


def single_row(step: Any, head: Any) -> SingleRow | None:
    """
    Return what predicts one row of a program; None if the program has another form.

    The form is columns of float64, scaled or not, then a softmax over fewer than 8 classes. Called with shape (1,
    columns) and whether probabilities are wanted, it returns None for a row that only the program itself can decide.
    """
    operations = _operations(step)
    if operations is None or not isinstance(head, Linear) or head.link != "softmax" or head.coefficients.ndim != 2:
        return None
    classes, columns = head.coefficients.shape
    if not 2 <= classes <= _MOST_CLASSES or columns > _MOST_COLUMNS or not _is_bounded(operations, head):
        return None
    transposed, intercept = head.coefficients.T, head.intercept

    def predict(row: Matrix, probabilities: bool) -> Predictions | None:  # by position, for its speed
        for value in row[0].tolist():
            if not -_LARGEST < value < _LARGEST:
                return None
        for ufunc, operand in operations:
            row = ufunc(row, operand)
        scores = row @ transposed + intercept
        each = scores[0].tolist()
        greatest = max(each)
        values = np.array([each.index(greatest)])
        if not probabilities:
            return Predictions(values)
        powers = np.exp(scores - greatest)
        total = 0.0
        for power in powers[0].tolist():
            total += power
        return Predictions(values, powers / total)

    return predict


def _operations(step: Any) -> list[tuple[np.ufunc, Matrix]] | None:
    """Return the operations after the columns were taken; None if there are others than arithmetic."""
    first, *others = step.steps if isinstance(step, Chain) else (step,)
    if not isinstance(first, Numbers) or first.dtype != "float64" or first.places != tuple(range(len(first.places))):
        return None
    if not all(isinstance(other, Arithmetic) for other in others):
        return None
    return [
        (UFUNCS[sign], operand.astype(np.float64, copy=False))
        for other in others
        for sign, operand in zip(other.signs, other.operands, strict=True)
    ]


def _is_bounded(operations: list[tuple[np.ufunc, Matrix]], head: Linear) -> bool:
    """Whether every number stays finite on its way if the row has no larger one than the bound."""
    with np.errstate(all="ignore"):
        bound = np.full(head.coefficients.shape[1], _LARGEST)
        for ufunc, operand in operations:
            is_sum = ufunc in (np.add, np.subtract)
            bound = bound + np.abs(operand) if is_sum else np.abs(ufunc(bound, operand))
        scores = np.abs(head.coefficients) @ bound + np.abs(head.intercept)
    return bool(isfinite(scores.sum()) and scores.max(initial=0.0) < inf)
