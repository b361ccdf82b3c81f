"""Held-back rows, and what the model answers for them: all that the plots of a card are drawn from."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from artifacts.description import name
from train.card.figures import quiet
from train.fitted_model import FittedModel
from train.held_back import HeldBack
from train.rows import Rows

# So many held-back rows are asked: a curve is no smoother with more.
MOST = 10_000
_LONGEST_NAME = 24
_SEED = 0


@dataclass(frozen=True, slots=True)
class Judged:
    """
    Held-back rows, at most 10,000 of them, and what the model answers for them.

    Attributes:
        told: Shape (rows,), what is true of each.
        predicted: Shape (rows,), classes or numbers.
        probabilities: Shape (rows, classes); None where the model has none.
        names: Of the classes, for people.
        total: How many rows were held back.
    """

    estimator: Any
    rows: Rows
    told: NDArray[Any]
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
        """So many rows, by default all that were asked, in words that begin a sentence."""
        shown = len(self.told) if shown is None else shown
        rows = f"{self.total:,} held-back row{'' if self.total == 1 else 's'}"
        return rows if shown == self.total else f"{shown:,} of {rows}, drawn at random"


def choose(rows: int, most: int) -> NDArray[np.intp]:
    """Which rows are looked at: all, or so many at random, in their order."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(_SEED).choice(rows, most, replace=False))
