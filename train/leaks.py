"""Target leakage: columns that alone predict the target, and are seldom known when a prediction is needed."""

import shlex
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from train.admission import Task
from train.data_checks import DataWarning
from train.fit import SEED
from train.tables import column_kind

# The score of a single column, balanced accuracy or R², from which on it is reported.
SUSPECT = 0.995
_FOLDS = 3
_MOST_ROWS = 5_000

Parts: TypeAlias = Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]]
"""Of each fold the places of the rows to fit on, and of those to evaluate on."""


def leaks(X: pd.DataFrame, y: "pd.Series[Any]", task: Task) -> list[DataWarning]:
    """Warn of each column from which alone a tree or a line predicts the target almost perfectly; they are kept."""
    sample = _sample(y, task)
    parts = _parts(sample, task)
    scores = {str(name): _score(values.loc[sample.index], sample, task, parts) for name, values in X.items()}
    return [
        DataWarning(
            f"column {name!r} alone predicts {y.name!r} with a score of {score:.4f}",
            f"if it is known only together with {y.name!r}, --drop {shlex.quote(name)}",
        )
        for name, score in scores.items()
        if score >= SUSPECT
    ]


def _sample(y: "pd.Series[Any]", task: Task) -> "pd.Series[Any]":
    """Return some of the rows; of each class at least as many as there are folds, or none."""
    some = y.iloc[np.sort(np.random.default_rng(SEED).permutation(len(y))[:_MOST_ROWS])]
    return some if task == "regression" else some[some.map(some.value_counts()).astype(int) >= _FOLDS]


def _parts(y: "pd.Series[Any]", task: Task) -> Parts:
    """Return the folds, which are the same for every column; none if there are too few rows."""
    if len(y) < _FOLDS:
        return []
    folds = StratifiedKFold if task == "classification" else KFold
    return list(folds(_FOLDS, shuffle=True, random_state=SEED).split(np.zeros(len(y)), y))


def _score(values: "pd.Series[Any]", y: "pd.Series[Any]", task: Task, parts: Parts) -> float:
    """Return the balanced accuracy, in which a rare class weighs as much as a frequent one; or R²."""
    kind = column_kind(values)
    if kind == "text":
        return 0.0
    codes = values if kind == "number" else pd.Series(pd.factorize(values)[0], index=values.index)
    # A tree splits ranks as well as values, and no rank is too large for it.
    ranks = codes.rank().to_numpy(dtype=np.float32)[:, None]
    if task == "classification":
        return _by_tree(
            DecisionTreeClassifier(random_state=SEED),
            ranks,
            np.unique(y.to_numpy(), return_inverse=True)[1],
            parts,
            _balanced,
        )
    # Scaled, no amount is too large to be squared.
    scaled = (y / y.abs().max()).to_numpy(dtype=np.float64)
    return max(_line(codes, y), _by_tree(DecisionTreeRegressor(random_state=SEED), ranks, scaled, parts, r2_score))


def _by_tree(
    tree: Any, ranks: NDArray[np.float32], y: NDArray[Any], parts: Parts, score: Callable[[Any, Any], float]
) -> float:
    """Return the mean score of the folds; without cross_val_score, whose checks take three times as long."""
    # Its check is what finds the nulls.
    check = bool(np.isnan(ranks).any())
    scores = []
    for fit, judge in parts:
        tree.fit(ranks[fit], y[fit], check_input=check)
        scores.append(score(y[judge], tree.predict(ranks[judge], check_input=check)))
    return fmean(scores) if scores else 0.0


def _balanced(true: NDArray[np.intp], predicted: NDArray[np.intp]) -> float:
    counts = np.bincount(true)
    right = np.bincount(true[true == predicted], minlength=len(counts))
    return float((right[counts > 0] / counts[counts > 0]).mean())


def _line(codes: "pd.Series[Any]", y: "pd.Series[Any]") -> float:
    """Return the R² of a line, 0 where it is not finite."""
    with np.errstate(all="ignore"):
        known = codes.notna()
        score = float(codes[known].corr(y[known])) ** 2
    return score if np.isfinite(score) else 0.0
