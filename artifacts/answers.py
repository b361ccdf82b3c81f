"""What a model says of rows: a class or a number each, and how sure it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

NO_CLASS = -1

# How far a probability may lie outside 0 to 1, and the sum of a row from 1: single precision and many classes do.
PROBABILITY_TOLERANCE = 1e-3


class InvalidPredictions(Exception):
    """What a model returned has the wrong shape, dtype, range or row sums; the message quotes no value of it."""


@dataclass(frozen=True, slots=True)
class Told:
    """
    The words of a runtime.

    Attributes:
        predicted: Shape (rows,): the place of each row's class, -1 for what is no class; of a regressor, float64.
        probabilities: Shape (rows, classes); None if not asked for or not had.
    """

    predicted: NDArray[Any]
    probabilities: NDArray[np.float64] | None = None

    @property
    def silent(self) -> NDArray[np.bool_]:
        """Shape (rows,): of which rows nothing is said that JSON could tell."""
        predicted, spread = self.predicted, self.probabilities
        nothing: NDArray[np.bool_] = ~np.isfinite(predicted) if predicted.dtype.kind == "f" else predicted == NO_CLASS
        return nothing if spread is None else nothing | ~np.isfinite(spread).all(axis=1)


@dataclass(frozen=True, slots=True)
class Answer(Told):
    """
    The same in the words of the label map.

    Attributes:
        map: Shape (classes + 1,), the label of each class and None; a regressor has none.
    """

    map: NDArray[np.object_] | None = None

    @property
    def labels(self) -> NDArray[np.object_]:
        """Shape (rows,) of labels, None for no class; of a regressor, numbers."""
        return self.predicted.astype(object) if self.map is None else self.map[self.predicted]


def label_map(labels: Sequence[Any]) -> NDArray[np.object_] | None:
    """Shape (classes + 1,): the label of each class, and None where -1 points; None where there are no classes."""
    if not labels:
        return None
    told = np.empty(len(labels) + 1, dtype=object)
    told[:-1] = labels
    return told
