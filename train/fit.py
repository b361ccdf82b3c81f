"""Splits the rows, cross-validates on one part and fits on it; the other part is held back."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold, train_test_split

from train.errors import TooFewRows

Progress: TypeAlias = Callable[[Iterable[Any], int], Iterable[Any]]

SEED = 0


@dataclass(frozen=True, slots=True)
class Split:
    """The rows a model may learn from, and the rows that only judge it."""

    X: pd.DataFrame
    y: "pd.Series[Any]"
    X_held: pd.DataFrame
    y_held: "pd.Series[Any]"


def split(X: pd.DataFrame, y: "pd.Series[Any]", *, held: float = 0.2) -> Split:
    """Hold back a share of the rows, the classes in proportion; the same rows every time."""
    X_fit, X_held, y_fit, y_held = train_test_split(X, y, test_size=held, stratify=y, random_state=SEED)
    return Split(X_fit, y_fit, X_held, y_held)


def cross_validate(estimator: Any, rows: Split, *, folds: int, progress: Progress) -> list[float]:
    """
    The accuracy of a fresh clone on each fold, in order.

    Raises:
        TooFewRows: A class cannot be in every fold.
    """
    rarest = int(rows.y.value_counts().min())
    if rarest < folds:
        raise TooFewRows(rows=rarest, folds=folds)
    splits = StratifiedKFold(folds, shuffle=True, random_state=SEED).split(rows.X, rows.y)
    return [_score(estimator, rows, fit, judge) for fit, judge in progress(splits, folds)]


def fit(estimator: Any, rows: Split) -> Any:
    """Fit on every row that is not held back."""
    return estimator.fit(rows.X, rows.y)


def _score(estimator: Any, rows: Split, fit: "np.ndarray[Any, Any]", judge: "np.ndarray[Any, Any]") -> float:
    fitted = clone(estimator).fit(rows.X.iloc[fit], rows.y.iloc[fit])
    return float(fitted.score(rows.X.iloc[judge], rows.y.iloc[judge]))
