"""Split the rows; cross-validate and fit on one part, hold back the other."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import KFold, StratifiedKFold, TimeSeriesSplit, train_test_split

from train.admission import Task
from train.errors import TooFewRows

Progress: TypeAlias = Callable[[Iterable[Any], int], Iterable[Any]]

SEED = 0


@dataclass(frozen=True, slots=True)
class Split:
    """
    The rows to fit on, and the rows that are held back.

    Attributes:
        in_time: Whether the rows are in the order of their time: then later rows are held back, in each fold too.
    """

    task: Task
    X: pd.DataFrame
    y: "pd.Series[Any]"
    X_held: pd.DataFrame
    y_held: "pd.Series[Any]"
    in_time: bool = False


def split(task: Task, X: pd.DataFrame, y: "pd.Series[Any]", *, held: float = 0.2, in_time: bool = False) -> Split:
    """Hold back a share of the rows: the last in time, else a stratified sample; the same ones in every run."""
    if in_time:
        first = len(X) - round(held * len(X))
        return Split(task, X.iloc[:first], y.iloc[:first], X.iloc[first:], y.iloc[first:], in_time)
    classes = y if task == "classification" else None
    X_fit, X_held, y_fit, y_held = train_test_split(X, y, test_size=held, stratify=classes, random_state=SEED)
    return Split(task, X_fit, y_fit, X_held, y_held)


def cross_validate(estimator: Any, rows: Split, *, folds: int, progress: Progress) -> list[float]:
    """
    Return the accuracy of a fresh clone on each fold, in order; the R² of a regressor.

    Raises:
        TooFewRows: There are fewer rows than folds, or a class cannot be in every fold.
    """
    fewest = int(rows.y.value_counts().min()) if _is_stratified(rows) else len(rows.y) - 1
    if fewest < folds:
        raise TooFewRows(rows=fewest, folds=folds)
    splits = _splitter(rows, folds).split(rows.X, rows.y)
    return [_score(estimator, rows, fit, evaluate) for fit, evaluate in progress(splits, folds)]


def fit(estimator: Any, rows: Split) -> Any:
    """Fit on every row that is not held back."""
    return estimator.fit(rows.X, rows.y)


def _is_stratified(rows: Split) -> bool:
    return rows.task == "classification" and not rows.in_time


def _splitter(rows: Split, folds: int) -> Any:
    if rows.in_time:
        return TimeSeriesSplit(folds)
    return (StratifiedKFold if _is_stratified(rows) else KFold)(folds, shuffle=True, random_state=SEED)


def _score(estimator: Any, rows: Split, fit: "np.ndarray[Any, Any]", evaluate: "np.ndarray[Any, Any]") -> float:
    fitted = clone(estimator).fit(rows.X.iloc[fit], rows.y.iloc[fit])
    return float(fitted.score(rows.X.iloc[evaluate], rows.y.iloc[evaluate]))
