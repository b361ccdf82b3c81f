"""The target column: its task, and the rows that can be used to learn it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from train.admission import Task
from train.data_checks import DataWarning
from train.errors import NothingToLearn

# Fewer rows are too few to fit and to evaluate on.
FEWEST_ROWS = 10
FEWEST_OF_A_CLASS = 3
# Up to so many distinct integers, and up to this share of the rows, are classes.
_MOST_NUMBERS = 20
_NUMBERS_SHARE = 0.1
_CLASSES_SHARE = 0.5
_EXACT = 2.0**53


@dataclass(frozen=True, slots=True)
class Target:
    """
    The target of the rows that can be used.

    Attributes:
        y: One value per row that can be used; its index has the numbers of these rows in the table.
        reason: Why it is this task, for people.
        warnings: Which rows were left out.
    """

    task: Task
    y: "pd.Series[Any]"
    reason: str
    warnings: tuple[DataWarning, ...]


def target_of(
    column: "pd.Series[Any]",
    *,
    task: Task | None = None,
    nulls: Sequence[str] = (),
    doubt: DataWarning | None = None,
) -> Target:
    """
    Choose the task of a target column, and the rows that can be used.

    Args:
        column: As it was read.
        task: Classification or regression; None chooses by the values.
        nulls: The cells that were read as null, for people.
        doubt: Why its texts may be numbers, if they may.

    Raises:
        NothingToLearn: It has too few rows, is constant, or does not suit the task.
    """
    known = restored(column.dropna())
    if known.empty:
        raise NothingToLearn(f"column {column.name!r} has no value at all: choose another --target")
    if task is None and doubt:
        raise NothingToLearn(f"{doubt.what}; {doubt.advice}, or use its texts as classes: --task classification")
    warnings = _without_target(column, known, nulls)
    likely, reason = _task_of(known)
    task = task or likely
    y, rare = (_numbers(known), []) if task == "regression" else _classes(known)
    if len(y) < FEWEST_ROWS:
        raise NothingToLearn(
            f"{len(y)} rows have a usable {column.name!r}, and at least {FEWEST_ROWS} are needed: find more"
        )
    return Target(task, y, reason, (*warnings, *rare))


def restored(known: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return integers and booleans in their own dtype, which nulls had made floats and objects."""
    if known.dtype == object:
        return known.astype(bool)
    if known.dtype.kind == "f" and bool((known % 1 == 0).all()) and known.abs().max() < _EXACT:
        return known.astype(np.int64)
    return known


def _without_target(column: "pd.Series[Any]", known: "pd.Series[Any]", nulls: Sequence[str]) -> list[DataWarning]:
    missing = len(column) - len(known)
    if not missing:
        return []
    cells = f" (an empty cell, or {', '.join(map(repr, nulls))})" if nulls else ""
    advice = "if such a cell is a class: name the cells that mean null with --nulls" if nulls else ""
    return [DataWarning(f"rows without {column.name!r}{cells} are left out: {missing} of {len(column)}", advice)]


def _task_of(known: "pd.Series[Any]") -> tuple[Task, str]:
    distinct = known.nunique()
    if known.dtype.kind not in "iuf":
        kind = "booleans" if known.dtype == bool else "texts"
        return "classification", f"{known.name!r} holds {distinct} distinct {kind}"
    whole = known.dtype.kind in "iu"
    reason = f"{known.name!r} holds {distinct} distinct {'integers' if whole else 'numbers'}"
    few = distinct <= max(2, min(_MOST_NUMBERS, _NUMBERS_SHARE * len(known)))
    return ("classification" if whole and few else "regression"), reason


def _numbers(known: "pd.Series[Any]") -> "pd.Series[Any]":
    if known.dtype.kind not in "iuf":
        raise NothingToLearn(
            f"{known.name!r} holds {known.tolist()[0]!r}, and regression predicts numbers: --task classification"
        )
    if known.nunique() < 2:
        raise NothingToLearn(f"{known.name!r} is constant: choose another --target")
    return known


def _classes(known: "pd.Series[Any]") -> tuple["pd.Series[Any]", list[DataWarning]]:
    """Return the rows of the classes that have enough of them."""
    if known.dtype.kind == "f":
        raise NothingToLearn(
            f"{known.name!r} holds {known.tolist()[0]}: classes must be texts, integers or booleans; --task regression"
        )
    counts = known.value_counts()
    if len(counts) > _CLASSES_SHARE * len(known) and len(counts) > 2:
        advice = "--task regression" if known.dtype.kind in "iuf" else "choose another --target"
        raise NothingToLearn(
            f"{known.name!r} holds {len(counts)} values in {len(known)} rows, too many for classes: {advice}"
        )
    rare = counts[counts < FEWEST_OF_A_CLASS]
    warnings = [
        DataWarning(
            f"class {value!r} is left out: with {count} of {len(known)} rows it is too rare to fit and to evaluate on",
            "find more rows of it, or merge it with another class",
        )
        for value, count in rare.items()
    ]
    if len(counts) - len(rare) < 2:
        raise NothingToLearn(
            f"{known.name!r} has fewer than two classes with {FEWEST_OF_A_CLASS} rows or more: choose another --target"
        )
    return known[~known.isin(rare.index)], warnings
