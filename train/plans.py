"""What is to be learned, from which rows, and judged by which: drawn up from a recipe, or from any table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from sklearn.base import is_regressor

from train import dates, defaults
from train.admission import Task
from train.errors import NothingToLearn
from train.fit import Split, split
from train.hazards import Hazard, suspicions, unfit
from train.leaks import leaks
from train.parting import folds_for, parted
from train.recipes import Recipe
from train.tables import Table
from train.targets import Target, target_of


@dataclass(frozen=True, slots=True)
class Plan:
    """
    A model before it is fitted.

    Attributes:
        name: The model's name in the store.
        estimator: Unfitted.
        folds: Parts of the cross-validation.
        thresholds: The least value of each score on held-back rows.
        source: Where the rows are from.
        csv_nulls: Cells of a CSV that mean null besides the empty one.
        notes: What was found out, for people.
        hazards: What would have misled the model, or still may.
    """

    name: str
    rows: Split
    estimator: Any
    folds: int
    source: str
    thresholds: Mapping[str, float] = field(default_factory=dict)
    labels: Sequence[str] | None = None
    csv_nulls: Sequence[str] = ()
    notes: tuple[str, ...] = ()
    hazards: tuple[Hazard, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """
    What is asked of a table.

    Attributes:
        target: The column to be predicted.
        task: None is found out.
        drop: Columns that the model shall not see.
        keep: Columns that it shall see though they look like ids or dates.
        time_column: The column by which the rows stand in time: the latest judge.
        folds: Parts of the cross-validation, fewer where there are too few rows.
    """

    target: str
    task: Task | None = None
    drop: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    time_column: str | None = None
    folds: int = 5

    @property
    def by_time(self) -> tuple[str, ...]:
        """The time column, if there is one."""
        return () if self.time_column is None else (self.time_column,)


def of_recipe(recipe: Recipe, *, folds: int) -> Plan:
    """What a recipe says; nothing is left out of its rows."""
    X, y = recipe.load()
    estimator = recipe.estimator()
    task: Task = "regression" if is_regressor(estimator) else "classification"
    return Plan(
        name=recipe.name,
        rows=split(task, X, y),
        estimator=estimator,
        folds=folds,
        source=recipe.source,
        thresholds=recipe.thresholds,
        labels=recipe.labels,
        csv_nulls=recipe.csv_nulls,
    )


def of_table(table: Table, question: Question, *, name: str) -> Plan:
    """
    What can be learned from a table of which nothing is known but its target.

    Raises:
        ColumnMissing: The table has not the columns that the question names.
        NothingToLearn: No two classes, no column or too few rows are left.
    """
    table.demand(question.target, *question.drop, *question.keep, *question.by_time)
    if question.target in question.drop:
        raise NothingToLearn(f"{question.target!r} is what is to be predicted, and cannot be dropped")
    frame, timeless = _in_order(table.frame, question.time_column)
    target = target_of(frame[question.target], task=question.task, nulls=table.nulls)
    X, unfits = _features(frame.loc[target.y.index], question)
    hazards = [*timeless, *target.hazards, *unfits, *suspicions(X), *leaks(X, target.y, target.task)]
    rows, lone = parted(target.task, X, target.y, in_time=bool(question.by_time))
    folds, fewer = folds_for(rows, question.folds)
    return Plan(
        name=name,
        rows=rows,
        estimator=defaults.pipeline(target.task, rows.X),
        folds=folds,
        source=table.source,
        csv_nulls=table.nulls,
        notes=_notes(table, target),
        hazards=(*hazards, *lone, *fewer),
    )


def _notes(table: Table, target: Target) -> tuple[str, ...]:
    task = f"{target.task}: {target.reason}"
    if not table.nulls:
        return (task,)
    return (task, f"read as null, here and by the server: an empty cell, {', '.join(map(repr, table.nulls))}")


def _in_order(frame: pd.DataFrame, time_column: str | None) -> tuple[pd.DataFrame, list[Hazard]]:
    """The rows as they came, or those that have a time, in its order."""
    if time_column is None:
        return frame, []
    moments = dates.moments(frame[time_column])
    order = moments.dropna().sort_values(kind="stable").index
    gone = len(frame) - len(order)
    what = f"rows without a date or number in {time_column!r} are left out: {gone} of {len(frame)}"
    return frame.loc[order], [Hazard(what, "write all of them alike, such as 2026-12-31")] if gone else []


def _features(frame: pd.DataFrame, question: Question) -> tuple[pd.DataFrame, list[Hazard]]:
    """The columns to learn from."""
    X = frame.drop(columns=list({question.target, *question.drop, *question.by_time}))
    unfits = unfit(X, keep=question.keep)
    X = X.drop(columns=[hazard.column for hazard in unfits])
    if X.empty:
        reasons = "; ".join(hazard.what for hazard in unfits) or "the target is its only column"
        raise NothingToLearn(f"no column is left to learn from: {reasons}")
    return X, unfits
