"""Whether a program answers like the estimator that it was made of: row by row, and by one definition of the same."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from artifacts.predictions import NO_CLASS, Predictions

Ask: TypeAlias = Callable[[Any], Predictions]
"""What answers for a table, or for an array in the middle of a pipeline."""

BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Parity:
    """
    What was compared.

    Attributes:
        rows: How many rows.
        disagreements: How many of them got another class, or a number further away than the tolerance.
        largest: How far two numbers were apart at most; beyond 1, in parts of their size.
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
    Rows in batches, and what the estimator says of each batch.

    Attributes:
        batches: Tables, or arrays in the middle of a pipeline; they may be made each time they are taken.
        told: The answer to each.
    """

    batches: Sequence[Any]
    told: tuple[Predictions, ...]

    @classmethod
    def of(cls, ask: Ask, rows: Any, *, batch: int = BATCH) -> "ParityCase":
        """Ask the estimator for rows, so many at once."""
        return cls.of_batches(ask, tuple(rows[start : start + batch] for start in range(0, len(rows), batch)))

    @classmethod
    def of_batches(cls, ask: Ask, batches: Sequence[Any]) -> "ParityCase":
        """Call the estimator with each batch."""
        return cls(batches, tuple(_answered(ask, each) for each in batches))

    def put(self, ask: Ask, *, tolerance: float) -> Parity:
        """Ask a program for the same batches, and compare; a number may be so far away."""
        pairs = zip(self.batches, self.told, strict=True)
        return sum((_put(ask, rows, told, tolerance) for rows, told in pairs), Parity())


def _put(ask: Ask, rows: Any, told: Predictions, tolerance: float) -> Parity:
    try:
        got = ask(rows)
    except Exception:  # noqa: BLE001  # a candidate that fails, however it does, is one that answers otherwise
        if not np.isnan(_number(told.values)).any():
            return Parity(len(rows), len(rows))
        got = _answered(ask, rows)
    return _compared(told, got, tolerance)


def _answered(ask: Ask, rows: Any) -> Predictions:
    """The answer; where a batch is refused, that to its parts, and nothing where a row by itself is refused."""
    try:
        return ask(rows)
    except Exception:  # noqa: BLE001  # third-party estimators may raise anything at a row that they do not like
        if len(rows) == 1:
            return Predictions(np.array([np.nan]))
    middle = len(rows) // 2
    return _joined(_answered(ask, rows[:middle]), _answered(ask, rows[middle:]))


def _joined(first: Predictions, second: Predictions) -> Predictions:
    spreads = [told.probabilities for told in (first, second)]
    width = max((spread.shape[1] for spread in spreads if spread is not None), default=0)
    if not width:
        return Predictions(np.concatenate([first.values, second.values]))
    filled = [
        np.full((len(told.values), width), np.nan) if told.probabilities is None else told.probabilities
        for told in (first, second)
    ]
    return Predictions(np.concatenate([first.values, second.values]), np.concatenate(filled))


def _compared(expected: Predictions, got: Predictions, tolerance: float) -> Parity:
    # A refused row is told by a number that is none, whatever is predicted.
    is_class = "f" not in {expected.values.dtype.kind, got.values.dtype.kind} or _spread(expected, got) is not None
    wrong, largest = _apart(expected.values, got.values, 0.0 if is_class else tolerance)
    spreads = _spread(expected, got)
    if spreads is None:
        return Parity(len(wrong), int(wrong.sum()), 0.0 if is_class else largest)
    beyond, largest = _apart(*spreads, tolerance)
    return Parity(len(wrong), int((wrong | beyond.any(axis=1)).sum()), largest)


def _spread(expected: Predictions, got: Predictions) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """The probabilities of both; where only one has them, the other's are none."""
    there, here = expected.probabilities, got.probabilities
    if there is None and here is None:
        return None
    shape = (there if there is not None else here).shape  # type: ignore[union-attr]  # one of them is there
    return tuple(np.full(shape, np.nan) if spread is None else spread for spread in (there, here))  # type: ignore[return-value]


def _apart(expected: NDArray[Any], got: NDArray[Any], tolerance: float) -> tuple[NDArray[np.bool_], float]:
    """Which numbers are too far apart, and how far at most; what is nothing on both sides is the same."""
    there, here = _number(expected), _number(got)
    with np.errstate(all="ignore"):
        same = (there == here) | (np.isnan(there) & np.isnan(here))
        far = np.where(same, 0.0, np.abs(here - there) / np.maximum(1.0, np.abs(there)))
    return ~(far <= tolerance), float(far[np.isfinite(far)].max(initial=0.0))


def _number(predicted: NDArray[Any]) -> NDArray[np.float64]:
    """Numbers, of which none is NaN; a class by its place."""
    return np.where(predicted == NO_CLASS, np.nan, predicted) if predicted.dtype.kind == "i" else predicted
