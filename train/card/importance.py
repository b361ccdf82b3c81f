"""Which columns a model leans on: how much worse it gets on held-back rows when one of them is shuffled."""

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.inspection import permutation_importance
from sklearn.metrics import get_scorer
from threadpoolctl import threadpool_limits

from train.card.figures import Undrawable
from train.card.judged import Judged, choose
from train.rows import Rows

# So many rows, or fewer where that takes too long.
ROWS = (1_000, 200)
REPEATS = 5
LIMIT_S = 2.5
_SEED = 0


@dataclass(frozen=True, slots=True)
class Importance:
    """
    What shuffling each column costs.

    Attributes:
        score: What is lost: `accuracy` or `r2`.
        columns: From the most important to the least.
        means, deviations: Shape (columns,), the loss over the repeats.
        rows, repeats: From how many rows, each shuffled so often.
    """

    score: str
    columns: list[str]
    means: NDArray[np.float64]
    deviations: NDArray[np.float64]
    rows: int
    repeats: int


def importance_of(judged: Judged, *, limit_s: float = LIMIT_S) -> Importance:
    """
    Measure it, as often as the time allows.

    Raises:
        Undrawable: There is too little to shuffle, or not the time to shuffle every column once.

    Source: Breiman (2001), "Random Forests", Machine Learning 45, section 10.
    """
    if len(judged.told) < 2 or judged.rows.frame.shape[1] < 2:
        raise Undrawable("it shuffles a column among the held-back rows, and takes two rows and two columns or more")
    score = "accuracy" if judged.names else "r2"
    # On so few rows several threads only wait for each other.
    with threadpool_limits(1):
        rows, told, repeats = _affordable(judged, score, limit_s)
        lost = permutation_importance(
            judged.estimator, rows.data, told, scoring=score, n_repeats=repeats, random_state=_SEED
        )
    columns = list(rows.frame.columns)
    order = np.argsort(-lost.importances_mean, kind="stable")
    return Importance(
        score=score,
        columns=[columns[place] for place in order],
        means=lost.importances_mean[order],
        deviations=lost.importances_std[order],
        rows=len(told),
        repeats=repeats,
    )


def _affordable(judged: Judged, score: str, limit_s: float) -> tuple[Rows, NDArray[Any], int]:
    """The rows, what is true of them, and how often each column can be shuffled among them in time."""
    columns = judged.rows.frame.shape[1]
    for most in ROWS:
        chosen = choose(len(judged.told), most)
        rows, told = judged.rows.take(chosen), judged.told[chosen]
        took_s = min(_timed(judged.estimator, rows.data, told, score) for _ in range(2))
        repeats = min(REPEATS, int(limit_s / (took_s * columns)))
        if repeats:
            return rows, told, repeats
    raise Undrawable(
        f"{columns} columns at {took_s:.2g} s a prediction take longer than the {limit_s:g} s that a card may"
    )


def _timed(estimator: Any, X: Any, y: NDArray[Any], score: str) -> float:
    start = perf_counter()
    get_scorer(score)(estimator, X, y)
    return perf_counter() - start
