"""What a model returns for rows: a class or a number for each row, its probabilities, and which rows are invalid."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artifacts.values import Fault

NO_CLASS = -1

# The tolerance of probabilities and of the sum of a row, for single precision and many classes.
PROBABILITY_TOLERANCE = 1e-3


class InvalidPredictions(Exception):
    """What a model returned has the wrong shape, dtype, range or row sums; the message quotes no value of it."""


# Not frozen, which would make creating one three times as slow, and one is created for each request.
@dataclass(slots=True, eq=False)
class Predictions:
    """
    Predictions for rows, one for each.

    Attributes:
        values: Shape (rows,): the index of each row's class, -1 for none; of a regressor, float64.
        probabilities: Shape (rows, classes); None if the call did not want them or the model has none.
        label_map: Shape (classes + 1,): the label of each class, then None; None for a regressor.
        faults: Why rows have no prediction.
    """

    values: NDArray[Any]
    probabilities: NDArray[np.float64] | None = None
    label_map: NDArray[np.object_] | None = None
    faults: tuple[Fault, ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: slice) -> "Predictions":
        """Return the predictions for some of the rows, without faults."""
        spread = self.probabilities
        return Predictions(self.values[rows], None if spread is None else spread[rows], self.label_map)

    def put(self, rows: slice | NDArray[np.intp], predictions: "Predictions") -> None:
        """Replace the predictions for some of the rows, but no faults."""
        self.values[rows] = predictions.values
        if self.probabilities is not None:
            self.probabilities[rows] = predictions.probabilities

    @property
    def failed(self) -> int:
        """The number of rows that the faults name."""
        return sum(len(fault.rows) for fault in self.faults) if self.faults else 0

    @property
    def labels(self) -> NDArray[np.object_]:
        """Shape (rows,): the label, or the number of a regressor; None if there is no class or no finite number."""
        labels: NDArray[np.object_]
        labels = self.values.astype(object) if self.label_map is None else self.label_map[self.values]
        if self.values.dtype.kind == "f":
            labels[~np.isfinite(self.values)] = None
        return labels

    @property
    def is_valid(self) -> bool:
        """Whether every row has a finite prediction."""
        values, spread = self.values, self.probabilities
        is_number = values.dtype.kind == "f"
        if len(values) == 1:
            # With native floats, since a single call of numpy takes longer than all of this.
            value = values.item()
            is_valid = isfinite(value) if is_number else value != NO_CLASS
            return is_valid and (spread is None or isfinite(sum(spread[0].tolist())))
        if spread is not None and not np.isfinite(spread).all():
            return False
        return bool((np.isfinite(values) if is_number else values != NO_CLASS).all())

    @property
    def invalid(self) -> NDArray[np.bool_]:
        """Shape (rows,): which rows have no finite prediction."""
        values, spread = self.values, self.probabilities
        no_value: NDArray[np.bool_] = ~np.isfinite(values) if values.dtype.kind == "f" else values == NO_CLASS
        return no_value if spread is None else no_value | ~np.isfinite(spread).all(axis=1)


def label_map(labels: Sequence[Any]) -> NDArray[np.object_] | None:
    """Return shape (classes + 1,): the label of each class, then None, which -1 selects; None without classes."""
    if not labels:
        return None
    by_index = np.empty(len(labels) + 1, dtype=object)
    by_index[:-1] = labels
    return by_index
