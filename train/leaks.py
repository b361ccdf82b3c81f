"""Columns that know the answer: too good to be true, and seldom known when a prediction is asked for."""

import shlex
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from train.admission import Task
from train.fit import SEED
from train.hazards import Hazard
from train.tables import kind_of

# What a column alone scores, in balanced accuracy or R², from which on it is named.
SUSPECT = 0.995
_FOLDS = 3
_MOST_ROWS = 5_000


def leaks(X: pd.DataFrame, y: "pd.Series[Any]", task: Task) -> list[Hazard]:
    """Columns from which, each by itself, a tree or a line tells the target almost without fail; they are kept."""
    told = _sample(y, task)
    scores = {str(name): _score(values.loc[told.index], told, task) for name, values in X.items()}
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


def _score(values: "pd.Series[Any]", y: "pd.Series[Any]", task: Task) -> float:
    """Balanced accuracy, since of the usual one a rare class would be hardly a part; or R²."""
    kind = kind_of(values)
    if kind == "text":
        return 0.0
    codes = values if kind == "number" else pd.Series(pd.factorize(values)[0], index=values.index)
    # Ranks are as good to a tree, and none is too large for it.
    ranks = codes.rank().to_frame()
    if task == "classification":
        folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=SEED)
        tree = DecisionTreeClassifier(random_state=SEED)
        return float(cross_val_score(tree, ranks, y, cv=folds, scoring="balanced_accuracy").mean())
    parts = KFold(_FOLDS, shuffle=True, random_state=SEED)
    tree = DecisionTreeRegressor(random_state=SEED)
    # Scaled, no amount is too large to be squared.
    scaled = y / y.abs().max()
    return max(_line(codes, y), float(cross_val_score(tree, ranks, scaled, cv=parts, scoring="r2").mean()))


def _line(codes: "pd.Series[Any]", y: "pd.Series[Any]") -> float:
    """The R² of a line, where both can be squared."""
    with np.errstate(all="ignore"):
        known = codes.notna()
        score = float(codes[known].corr(y[known])) ** 2
    return score if np.isfinite(score) else 0.0
