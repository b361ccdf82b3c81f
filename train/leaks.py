"""Columns that know the answer: too good to be true, and seldom known when a prediction is asked for."""

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
from train.data_checks import Hazard
from train.fit import SEED
from train.tables import kind_of

# What a column alone scores, in balanced accuracy or R², from which on it is named.
SUSPECT = 0.995
_FOLDS = 3
_MOST_ROWS = 5_000

Parts: TypeAlias = Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]]
"""Of each fold the places of the rows that teach, and of those that judge."""


def leaks(X: pd.DataFrame, y: "pd.Series[Any]", task: Task) -> list[Hazard]:
    """Columns from which, each by itself, a tree or a line tells the target almost without fail; they are kept."""
    told = _sample(y, task)
    parts = _parts(told, task)
    scores = {str(name): _score(values.loc[told.index], told, task, parts) for name, values in X.items()}
    return [
        Hazard(
            f"column {name!r} by itself predicts {y.name!r} with a score of {score:.4f}",
            f"if it is known only together with {y.name!r}, --drop {shlex.quote(name)}",
        )
        for name, score in scores.items()
        if score >= SUSPECT
    ]


def _sample(y: "pd.Series[Any]", task: Task) -> "pd.Series[Any]":
    """Some of the rows; of a class at least as many as there are folds, or none."""
    some = y.iloc[np.sort(np.random.default_rng(SEED).permutation(len(y))[:_MOST_ROWS])]
    return some if task == "regression" else some[some.map(some.value_counts()).astype(int) >= _FOLDS]


def _parts(y: "pd.Series[Any]", task: Task) -> Parts:
    """The folds, which are the same for every column; none where there are too few rows."""
    if len(y) < _FOLDS:
        return []
    folds = StratifiedKFold if task == "classification" else KFold
    return list(folds(_FOLDS, shuffle=True, random_state=SEED).split(np.zeros(len(y)), y))


def _score(values: "pd.Series[Any]", y: "pd.Series[Any]", task: Task, parts: Parts) -> float:
    """Balanced accuracy, since of the usual one a rare class would be hardly a part; or R²."""
    kind = kind_of(values)
    if kind == "text":
        return 0.0
    codes = values if kind == "number" else pd.Series(pd.factorize(values)[0], index=values.index)
    # Ranks are as good to a tree, and none is too large for it.
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
    """The mean score of the folds; by hand, as scikit-learn's checks of every fold take three times as long."""
    # What it finds out in its own check is where a null is.
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
    """The R² of a line, where both can be squared."""
    with np.errstate(all="ignore"):
        known = codes.notna()
        score = float(codes[known].corr(y[known])) ** 2
    return score if np.isfinite(score) else 0.0
