"""Permutation importance: how much the score on held-back rows drops when a column is shuffled."""

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.inspection import permutation_importance
from sklearn.metrics import get_scorer
from threadpoolctl import threadpool_limits

from train.card.figures import CannotDraw
from train.card.predictions import HeldBackPredictions, choose
from train.rows import Rows

# So many rows, or fewer if that takes too long.
ROWS = (1_000, 200)
REPEATS = 5
LIMIT_S = 2.5
_SEED = 0


@dataclass(frozen=True, slots=True)
class Importance:
    """
    The drop of the score when each column is shuffled.

    Attributes:
        score: The name of the score: `accuracy` or `r2`.
        columns: From the most important to the least.
        means, deviations: Shape (columns,), the drop over the repeats.
        rows, repeats: How many rows, and how often each column was shuffled.
    """

    score: str
    columns: list[str]
    means: NDArray[np.float64]
    deviations: NDArray[np.float64]
    rows: int
    repeats: int


def importance_of(held: HeldBackPredictions, *, limit_s: float = LIMIT_S) -> Importance:
    """
    Measure the importance of each column, as often as the time allows.

    Raises:
        CannotDraw: There are too few rows or columns, or no time to shuffle every column once.

    Source: Breiman (2001), "Random Forests", Machine Learning 45, section 10.
    """
    if len(held.true) < 2 or held.rows.frame.shape[1] < 2:
        raise CannotDraw("it needs at least two held-back rows and two columns")
    score = "accuracy" if held.names else "r2"
    # On so few rows several threads are slower than one.
    with threadpool_limits(1):
        rows, true, repeats = _affordable(held, score, limit_s)
        lost = permutation_importance(
            held.estimator, rows.data, true, scoring=score, n_repeats=repeats, random_state=_SEED
        )
    columns = list(rows.frame.columns)
    order = np.argsort(-lost.importances_mean, kind="stable")
    return Importance(
        score=score,
        columns=[columns[place] for place in order],
        means=lost.importances_mean[order],
        deviations=lost.importances_std[order],
        rows=len(true),
        repeats=repeats,
    )


def _affordable(held: HeldBackPredictions, score: str, limit_s: float) -> tuple[Rows, NDArray[Any], int]:
    """Return the rows, their true values, and how often each column can be shuffled in time."""
    columns = held.rows.frame.shape[1]
    for most in ROWS:
        chosen = choose(len(held.true), most)
        rows, true = held.rows.take(chosen), held.true[chosen]
        took_s = min(_timed(held.estimator, rows.data, true, score) for _ in range(2))
        repeats = min(REPEATS, int(limit_s / (took_s * columns)))
        if repeats:
            return rows, true, repeats
    raise CannotDraw(
        f"{columns} columns at {took_s:.2g} s per prediction would take longer than the limit of {limit_s:g} s"
    )


def _timed(estimator: Any, X: Any, y: NDArray[Any], score: str) -> float:
    start = perf_counter()
    get_scorer(score)(estimator, X, y)
    return perf_counter() - start
