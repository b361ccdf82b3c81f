"""The rows of a table that nobody knows, parted into those that teach and those that judge."""

from dataclasses import replace
from typing import Any

import pandas as pd

from train.admission import Task
from train.data_checks import Hazard
from train.errors import NothingToLearn
from train.fit import Split, split
from train.tables import kind_of

HELD = 0.2


def parted(task: Task, X: pd.DataFrame, y: "pd.Series[Any]", *, in_time: bool = False) -> tuple[Split, list[Hazard]]:
    """
    The rows that teach and those that judge, and what the latter alone show.

    Raises:
        NothingToLearn: There are too few rows for the classes.
    """
    if task == "classification" and not in_time and round(HELD * len(y)) < y.nunique():
        raise NothingToLearn(f"{len(y)} rows are too few to hold back one of each of {y.nunique()} classes: join some")
    rows = split(task, X, y, held=HELD, in_time=in_time)
    if in_time:
        rows, hazards = _without_new_classes(rows)
    else:
        rows, hazards = _with_rarities(rows), []
    alone = [str(name) for name in X if _alone(rows.X[name], rows.X_held[name]).any()]
    if alone:
        names = ", ".join(map(repr, alone))
        hazards.append(
            Hazard(f"held-back rows alone hold some nulls or categories of {names}: none of them is learned")
        )
    return rows, hazards


def _alone(taught: "pd.Series[Any]", held: "pd.Series[Any]") -> "pd.Series[bool]":
    """Which of the rows held back have a null or a category that no row which teaches has."""
    null = held.isna() & (not taught.isna().any())
    if kind_of(taught) != "category":
        return null
    return null | (held.notna() & ~held.isin(taught.dropna().unique()))


def _with_rarities(rows: Split) -> Split:
    """
    Rows that alone show a null or a category teach, and do not judge; but half of those held back stay.

    A server takes what training saw: without this it would refuse rows of the very file that it was trained on.
    """
    alone = pd.DataFrame({name: _alone(rows.X[name], rows.X_held[name]) for name in rows.X}).any(axis=1)
    if not 0 < alone.sum() <= len(alone) / 2:
        return rows
    return replace(
        rows,
        X=pd.concat([rows.X, rows.X_held[alone]]),
        y=pd.concat([rows.y, rows.y_held[alone]]),
        X_held=rows.X_held[~alone],
        y_held=rows.y_held[~alone],
    )


def _without_new_classes(rows: Split) -> tuple[Split, list[Hazard]]:
    """What came up after the time of learning cannot be predicted, and is not judged."""
    if rows.task == "regression":
        return rows, []
    new = ~rows.y_held.isin(rows.y.unique())
    if not new.any():
        return rows, []
    names = ", ".join(map(repr, rows.y_held[new].unique().tolist()))
    if new.all():
        raise NothingToLearn(
            f"all of the latest rows are of classes that no earlier row has: {names}; leave out --time-column"
        )
    what = f"rows of classes that no earlier row has ({names}) are left out: {new.sum()} of the latest {len(new)}"
    return replace(rows, X_held=rows.X_held[~new], y_held=rows.y_held[~new]), [Hazard(what)]


def folds_for(rows: Split, most: int) -> tuple[int, list[Hazard]]:
    """
    As many folds as asked for, or as the rows allow.

    Raises:
        NothingToLearn: They do not allow two.
    """
    fitting = next((folds for folds in range(most, 1, -1) if _allow(rows, folds)), None)
    if fitting is None:
        raise NothingToLearn(f"the earliest rows are all of one class, {rows.y.iloc[0]!r}: leave out --time-column")
    if fitting == most:
        return most, []
    scarce = "the rarest class has too few rows" if rows.task == "classification" else "there are too few rows"
    return fitting, [Hazard(f"{fitting} folds instead of {most}, since {scarce}", "more rows of it judge better")]


def _allow(rows: Split, folds: int) -> bool:
    if rows.in_time:
        first = len(rows.y) - folds * (len(rows.y) // (folds + 1))
        return len(rows.y) >= 2 * folds + 2 and (rows.task == "regression" or len(rows.y.iloc[:first].unique()) > 1)
    if rows.task == "regression":
        return len(rows.y) >= 2 * folds
    return int(rows.y.value_counts().min()) >= folds
