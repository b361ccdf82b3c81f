"""Split the rows of an unknown table into those that are fitted on and those that are held back."""

from dataclasses import replace
from typing import Any

import pandas as pd

from train.admission import Task
from train.data_checks import DataWarning
from train.errors import NothingToLearn
from train.fit import Split, split
from train.tables import column_kind

HELD = 0.2


def split_rows(
    task: Task, X: pd.DataFrame, y: "pd.Series[Any]", *, in_time: bool = False
) -> tuple[Split, list[DataWarning]]:
    """
    Hold back a fifth of the rows, and warn of what only held-back rows show.

    Raises:
        NothingToLearn: There are too few rows for the classes.
    """
    if task == "classification" and not in_time and round(HELD * len(y)) < y.nunique():
        raise NothingToLearn(
            f"{len(y)} rows are too few to hold back one row of each of {y.nunique()} classes: merge some classes"
        )
    rows = split(task, X, y, held=HELD, in_time=in_time)
    if in_time:
        rows, warnings = _without_new_classes(rows)
    else:
        rows, warnings = _with_rare_values(rows), []
    columns = [str(name) for name in X if _only_held(rows.X[name], rows.X_held[name]).any()]
    if columns:
        names = ", ".join(map(repr, columns))
        warnings.append(
            DataWarning(f"only held-back rows have some nulls or categories of {names}: these are not learned")
        )
    return rows, warnings


def _only_held(fitted: "pd.Series[Any]", held: "pd.Series[Any]") -> "pd.Series[bool]":
    """Return which held-back rows have a null or a category that no fitted row has."""
    null = held.isna() & (not fitted.isna().any())
    if column_kind(fitted) != "category":
        return null
    return null | (held.notna() & ~held.isin(fitted.dropna().unique()))


def _with_rare_values(rows: Split) -> Split:
    """
    Fit on held-back rows that alone have a null or a category, unless these are more than half of them.

    A server accepts what training saw: otherwise it would refuse rows of the very file that the model was trained on.
    """
    alone = pd.DataFrame({name: _only_held(rows.X[name], rows.X_held[name]) for name in rows.X}).any(axis=1)
    if not 0 < alone.sum() <= len(alone) / 2:
        return rows
    return replace(
        rows,
        X=pd.concat([rows.X, rows.X_held[alone]]),
        y=pd.concat([rows.y, rows.y_held[alone]]),
        X_held=rows.X_held[~alone],
        y_held=rows.y_held[~alone],
    )


def _without_new_classes(rows: Split) -> tuple[Split, list[DataWarning]]:
    """Leave out held-back rows of classes that no earlier row has: they cannot be predicted."""
    new = ~rows.y_held.isin(rows.y.unique())
    if rows.task == "regression" or not new.any():
        return rows, []
    names = ", ".join(map(repr, rows.y_held[new].unique().tolist()))
    if new.all():
        raise NothingToLearn(
            f"all of the latest rows are of classes that no earlier row has: {names}; leave out --time-column"
        )
    what = f"rows of classes that no earlier row has ({names}) are left out: {new.sum()} of the latest {len(new)}"
    return replace(rows, X_held=rows.X_held[~new], y_held=rows.y_held[~new]), [DataWarning(what)]


def folds_for(rows: Split, most: int) -> tuple[int, list[DataWarning]]:
    """
    Return as many folds as requested, or as the rows allow.

    Raises:
        NothingToLearn: They do not allow two.
    """
    possible = next((folds for folds in range(most, 1, -1) if _allow(rows, folds)), None)
    if possible is None:
        raise NothingToLearn(f"the earliest rows are all of one class, {rows.y.iloc[0]!r}: leave out --time-column")
    if possible == most:
        return most, []
    reason = "the rarest class has too few rows" if rows.task == "classification" else "there are too few rows"
    return possible, [DataWarning(f"{possible} folds instead of {most}, since {reason}", "find more rows of it")]


def _allow(rows: Split, folds: int) -> bool:
    if rows.in_time:
        first = len(rows.y) - folds * (len(rows.y) // (folds + 1))
        return len(rows.y) >= 2 * folds + 2 and (rows.task == "regression" or len(rows.y.iloc[:first].unique()) > 1)
    if rows.task == "regression":
        return len(rows.y) >= 2 * folds
    return int(rows.y.value_counts().min()) >= folds
