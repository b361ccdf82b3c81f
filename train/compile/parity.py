"""Compare a program with its estimator, row by row, by one definition of equality."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from artifacts.predictions import NO_CLASS, Predictions

Predict: TypeAlias = Callable[[Any], Predictions]
"""Predicts a table, or an array in the middle of a pipeline."""

BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Parity:
    """
    The result of a comparison.

    Attributes:
        rows: How many rows were compared.
        disagreements: How many of them differ in the class, or in a number by more than the tolerance.
        largest: The largest difference of two numbers; beyond 1, relative to their size.
    """

    rows: int = 0
    disagreements: int = 0
    largest: float = 0.0

    def __add__(self, other: "Parity") -> "Parity":
        return Parity(
            self.rows + other.rows, self.disagreements + other.disagreements, max(self.largest, other.largest)
        )


@dataclass(frozen=True, slots=True)
class ParityCase:
    """
    Rows in batches, with the estimator's predictions for each batch.

    Attributes:
        batches: Tables, or arrays in the middle of a pipeline; they may be created on each access.
        expected: The predictions for each.
    """

    batches: Sequence[Any]
    expected: tuple[Predictions, ...]

    @classmethod
    def of(cls, predict: Predict, rows: Any, *, batch: int = BATCH) -> "ParityCase":
        """Call the estimator with rows, in batches."""
        return cls.of_batches(predict, tuple(rows[start : start + batch] for start in range(0, len(rows), batch)))

    @classmethod
    def of_batches(cls, predict: Predict, batches: Sequence[Any]) -> "ParityCase":
        """Call the estimator with each batch."""
        return cls(batches, tuple(_predicted(predict, each) for each in batches))

    def compare(self, predict: Predict, *, tolerance: float) -> Parity:
        """Call a program with the same batches, and compare; a number may differ by the tolerance."""
        pairs = zip(self.batches, self.expected, strict=True)
        return sum((_compare_batch(predict, rows, expected, tolerance) for rows, expected in pairs), Parity())


def _compare_batch(predict: Predict, rows: Any, expected: Predictions, tolerance: float) -> Parity:
    try:
        got = predict(rows)
    except Exception:  # noqa: BLE001  # a candidate that fails differs from the estimator, whatever it raises
        if not np.isnan(_number(expected.values)).any():
            return Parity(len(rows), len(rows))
        got = _predicted(predict, rows)
    return _compared(expected, got, tolerance)


def _predicted(predict: Predict, rows: Any) -> Predictions:
    """Return the predictions; of a batch that fails, those of its halves, and NaN for a single row that fails."""
    try:
        return predict(rows)
    except Exception:  # noqa: BLE001  # third-party estimators may raise anything
        if len(rows) == 1:
            return Predictions(np.array([np.nan]))
    middle = len(rows) // 2
    return _joined(_predicted(predict, rows[:middle]), _predicted(predict, rows[middle:]))


def _joined(first: Predictions, second: Predictions) -> Predictions:
    spreads = [part.probabilities for part in (first, second)]
    width = max((spread.shape[1] for spread in spreads if spread is not None), default=0)
    if not width:
        return Predictions(np.concatenate([first.values, second.values]))
    filled = [
        np.full((len(part), width), np.nan) if part.probabilities is None else part.probabilities
        for part in (first, second)
    ]
    return Predictions(np.concatenate([first.values, second.values]), np.concatenate(filled))


def _compared(expected: Predictions, got: Predictions, tolerance: float) -> Parity:
    # A row that failed has the prediction NaN, for classes too.
    is_class = "f" not in {expected.values.dtype.kind, got.values.dtype.kind} or _spread(expected, got) is not None
    wrong, largest = _apart(expected.values, got.values, 0.0 if is_class else tolerance)
    spreads = _spread(expected, got)
    if spreads is None:
        return Parity(len(wrong), int(wrong.sum()), 0.0 if is_class else largest)
    beyond, largest = _apart(*spreads, tolerance)
    return Parity(len(wrong), int((wrong | beyond.any(axis=1)).sum()), largest)


def _spread(expected: Predictions, got: Predictions) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Return the probabilities of both; NaN for one that has none."""
    there, here = expected.probabilities, got.probabilities
    if there is None and here is None:
        return None
    shape = (there if there is not None else here).shape  # type: ignore[union-attr]  # one of them is there
    return tuple(np.full(shape, np.nan) if spread is None else spread for spread in (there, here))  # type: ignore[return-value]


def _apart(expected: NDArray[Any], got: NDArray[Any], tolerance: float) -> tuple[NDArray[np.bool_], float]:
    """Return which numbers differ too much, and the largest difference; two NaN are equal."""
    there, here = _number(expected), _number(got)
    with np.errstate(all="ignore"):
        same = (there == here) | (np.isnan(there) & np.isnan(here))
        far = np.where(same, 0.0, np.abs(here - there) / np.maximum(1.0, np.abs(there)))
    return ~(far <= tolerance), float(far[np.isfinite(far)].max(initial=0.0))


def _number(predicted: NDArray[Any]) -> NDArray[np.float64]:
    """Return numbers; a class is its place, and no class is NaN."""
    return np.where(predicted == NO_CLASS, np.nan, predicted) if predicted.dtype.kind == "i" else predicted
