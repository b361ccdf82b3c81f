"""The column that is to be predicted: what it asks for, and which rows can teach it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from train.admission import Task
from train.data_checks import Hazard
from train.errors import NothingToLearn

# Fewer rows cannot both teach and judge.
FEWEST_ROWS = 10
FEWEST_OF_A_CLASS = 3
# So many different whole numbers, and so few a row, may be classes.
_MOST_NUMBERS = 20
_NUMBERS_SHARE = 0.1
_CLASSES_SHARE = 0.5
_EXACT = 2.0**53


@dataclass(frozen=True, slots=True)
class Target:
    """
    What is to be predicted.

    Attributes:
        y: A value for each row that can teach; its index says which rows of the table they are.
        reason: Why it is this task, for people.
        hazards: Which rows were left out.
    """

    task: Task
    y: "pd.Series[Any]"
    reason: str
    hazards: tuple[Hazard, ...]


def target_of(
    column: "pd.Series[Any]",
    *,
    task: Task | None = None,
    nulls: Sequence[str] = (),
    doubt: Hazard | None = None,
) -> Target:
    """
    What a column asks for.

    Args:
        column: As it was read.
        task: Classification or regression; None finds out by the values.
        nulls: The cells that were read as null, for people.
        doubt: Why its texts may be numbers, if they may.

    Raises:
        NothingToLearn: It has too few rows, or nothing in it differs, or it does not suit the task.
    """
    known = plain(column.dropna())
    if known.empty:
        raise NothingToLearn(f"column {column.name!r} has no value at all: choose another --target")
    if task is None and doubt:
        raise NothingToLearn(f"{doubt.what}; {doubt.advice}, or take its texts for classes: --task classification")
    hazards = _absent(column, known, nulls)
    found, reason = _task_of(known)
    task = task or found
    y, rare = (_numbers(known), []) if task == "regression" else _classes(known)
    if len(y) < FEWEST_ROWS:
        raise NothingToLearn(
            f"{len(y)} rows tell {column.name!r}: fewer than {FEWEST_ROWS} cannot teach and judge; find more"
        )
    return Target(task, y, reason, (*hazards, *rare))


def plain(known: "pd.Series[Any]") -> "pd.Series[Any]":
    """Whole numbers as integers and booleans as booleans, which nulls had made floats and objects."""
    if known.dtype == object:
        return known.astype(bool)
    if known.dtype.kind == "f" and bool((known % 1 == 0).all()) and known.abs().max() < _EXACT:
        return known.astype(np.int64)
    return known


def _absent(column: "pd.Series[Any]", known: "pd.Series[Any]", nulls: Sequence[str]) -> list[Hazard]:
    gone = len(column) - len(known)
    if not gone:
        return []
    cells = f" (an empty cell, or {', '.join(map(repr, nulls))})" if nulls else ""
    advice = "if such a cell is a class: --nulls names what means null" if nulls else ""
    return [Hazard(f"rows without {column.name!r}{cells} are left out: {gone} of {len(column)}", advice)]


def _task_of(known: "pd.Series[Any]") -> tuple[Task, str]:
    distinct = known.nunique()
    if known.dtype.kind not in "iuf":
        kind = "booleans" if known.dtype == bool else "texts"
        return "classification", f"{known.name!r} holds {distinct} different {kind}"
    whole = known.dtype.kind in "iu"
    reason = f"{known.name!r} holds {distinct} different {'whole ' if whole else ''}numbers"
    few = distinct <= max(2, min(_MOST_NUMBERS, _NUMBERS_SHARE * len(known)))
    return ("classification" if whole and few else "regression"), reason


def _numbers(known: "pd.Series[Any]") -> "pd.Series[Any]":
    if known.dtype.kind not in "iuf":
        raise NothingToLearn(
            f"{known.name!r} holds {known.tolist()[0]!r}, and regression predicts numbers: --task classification"
        )
    if known.nunique() < 2:
        raise NothingToLearn(f"{known.name!r} is always the same: choose another --target")
    return known


def _classes(known: "pd.Series[Any]") -> tuple["pd.Series[Any]", list[Hazard]]:
    """The rows of the classes that have enough of them."""
    if known.dtype.kind == "f":
        raise NothingToLearn(
            f"{known.name!r} holds {known.tolist()[0]}: classes are texts, whole numbers or booleans; --task regression"
        )
    counts = known.value_counts()
    if len(counts) > _CLASSES_SHARE * len(known) and len(counts) > 2:
        advice = "--task regression" if known.dtype.kind in "iuf" else "choose another --target"
        raise NothingToLearn(f"{known.name!r} holds {len(counts)} values in {len(known)} rows: no classes; {advice}")
    rare = counts[counts < FEWEST_OF_A_CLASS]
    hazards = [
        Hazard(
            f"class {value!r} is left out: with {count} of {len(known)} rows it is too rare "
            "to be both learned and judged",
            "find more rows of it, or join it with another class",
        )
        for value, count in rare.items()
    ]
    if len(counts) - len(rare) < 2:
        raise NothingToLearn(f"{known.name!r} has not two classes of {FEWEST_OF_A_CLASS} rows: choose another --target")
    return known[~known.isin(rare.index)], hazards
