"""A sample of the held-back rows with the model's predictions: the data of the card's plots."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from artifacts.description import name
from train.card.figures import quiet
from train.fitted_model import FittedModel
from train.held_back import HeldBack
from train.rows import Rows

# So many held-back rows are predicted: more would not make a curve smoother.
MOST = 10_000
_LONGEST_NAME = 24
_SEED = 0


@dataclass(frozen=True, slots=True)
class HeldBackPredictions:
    """
    At most 10,000 held-back rows, with the model's predictions.

    Attributes:
        true: Shape (rows,), the true class or number of each.
        predicted: Shape (rows,), classes or numbers.
        probabilities: Shape (rows, classes); None if the model has none.
        names: The labels of the classes, for people.
        total: How many rows were held back.
    """

    estimator: Any
    rows: Rows
    true: NDArray[Any]
    predicted: NDArray[Any]
    probabilities: NDArray[np.float64] | None
    names: tuple[str, ...]
    total: int

    @classmethod
    def of(cls, model: FittedModel, held_back: HeldBack) -> Self:
        """Predict a sample of the held-back rows."""
        estimator, total = model.estimator, len(held_back.y)
        chosen = choose(total, MOST)
        rows = held_back.rows.take(chosen)
        with quiet():
            predicted = np.asarray(estimator.predict(rows.data)).ravel()
            probabilities = np.asarray(estimator.predict_proba(rows.data)) if model.has_probabilities else None
        labels: list[Any] = [] if model.label_map is None else model.label_map[:-1].tolist()
        names = tuple(name(label, longest=_LONGEST_NAME) for label in labels)
        return cls(estimator, rows, held_back.y[chosen], predicted, probabilities, names, total)

    def counted(self, shown: int | None = None) -> str:
        """Return how many of the held-back rows are shown, in words that begin a sentence."""
        shown = len(self.true) if shown is None else shown
        rows = f"{self.total:,} held-back row{'' if self.total == 1 else 's'}"
        return rows if shown == self.total else f"{shown:,} of {rows}, drawn at random"


def choose(rows: int, most: int) -> NDArray[np.intp]:
    """Return the places of all rows, or of so many at random, in ascending order."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(_SEED).choice(rows, most, replace=False))
