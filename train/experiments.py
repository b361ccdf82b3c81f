"""An experiment: an estimator, the rows that it is fitted on and the rows that it is evaluated on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_regressor

from artifacts.number_formats import NumberFormat
from train import dates, defaults
from train.admission import Task
from train.cells import ColumnFormat
from train.data_checks import DataWarning, near_number_warning, unusable_columns
from train.errors import NothingToLearn
from train.fit import Split, split
from train.leaks import leaks
from train.notes import listed_lines, null_note, reading_notes
from train.recipes import Recipe
from train.splitting import folds_for, split_rows
from train.tables import Table, nulls_of, number_formats_of
from train.targets import target_of

_REMOVE = "remove them from the file: the server returns an error for each"


@dataclass(frozen=True, slots=True)
class Experiment:
    """
    A model before it is fitted.

    Attributes:
        name: The model's name in the store.
        estimator: Unfitted.
        folds: Parts of the cross-validation.
        thresholds: The least value of each score on held-back rows.
        source: Where the rows are from.
        csv_nulls: Cells of a CSV that mean null in addition to the empty one.
        number_formats: By column, how a CSV writes its numbers, where they differ from JSON's.
        unlabelled: Rows that are not fitted on: those held back, and those whose target is missing or too rare.
        notes: What was found in the table, for people.
        warnings: What would have misled the model, or still may.
    """

    name: str
    rows: Split
    estimator: Any
    folds: int
    source: str
    thresholds: Mapping[str, float] = field(default_factory=dict)
    labels: Sequence[str] | None = None
    csv_nulls: Sequence[str] = ()
    number_formats: Mapping[str, NumberFormat] = field(default_factory=dict)
    unlabelled: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[DataWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """
    What is to be learned from a table.

    Attributes:
        target: The column to predict.
        task: None chooses it by the values of the target.
        drop: Columns that are not used.
        keep: Columns that are used although they look like ids or dates.
        time_column: The column that orders the rows in time: the latest rows are held back.
        folds: Parts of the cross-validation, fewer where there are too few rows.
    """

    target: str
    task: Task | None = None
    drop: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    time_column: str | None = None
    folds: int = 5

    @property
    def unused(self) -> tuple[str, ...]:
        """The columns that are no features."""
        return (self.target, *self.drop, *(() if self.time_column is None else (self.time_column,)))


def of_recipe(recipe: Recipe, *, folds: int) -> Experiment:
    """Return the experiment that a recipe describes; all of its rows are used."""
    X, y = recipe.load()
    estimator = recipe.estimator()
    task: Task = "regression" if is_regressor(estimator) else "classification"
    return Experiment(
        name=recipe.name,
        rows=split(task, X, y),
        estimator=estimator,
        folds=folds,
        source=recipe.source,
        thresholds=recipe.thresholds,
        labels=recipe.labels,
        csv_nulls=recipe.csv_nulls,
    )


def of_table(table: Table, problem: Problem, *, name: str) -> Experiment:
    """
    Return an experiment with a default pipeline for a table.

    Raises:
        ColumnMissing: The table has not all columns that the problem names.
        NothingToLearn: Fewer than two classes, no column or too few rows are left.
    """
    table.require(*problem.unused, *problem.keep)
    if problem.target in problem.drop:
        raise NothingToLearn(f"{problem.target!r} is the target and cannot be dropped: remove it from --drop")
    try:
        return _of_table(table, problem, name=name)
    except NothingToLearn as error:
        nulls = table.nulls
        raise NothingToLearn(f"{error}; {null_note(nulls)}" if nulls else str(error)) from error


def _of_table(table: Table, problem: Problem, *, name: str) -> Experiment:
    order, without_time = _in_order(table, problem.time_column)
    target_format = table.column_format(problem.target)
    target = target_of(
        table.values(problem.target, target_format, order),
        task=problem.task,
        nulls=nulls_of(table, {problem.target: target_format}),
        doubt=near_number_warning(table, problem.target, target_format),
    )
    # Only rows with a target decide what a column holds: a footer, for example, has none.
    labelled = target.y.index
    formats = {name: table.column_format(name, labelled) for name in table.columns if name not in problem.unused}
    X, unusable = _features(table, formats, labelled, problem)
    formats = {str(name): formats[str(name)] for name in X}
    nearly = [warning for name, each in formats.items() if (warning := near_number_warning(table, name, each))]
    rows, split_warnings = split_rows(target.task, X, target.y, in_time=problem.time_column is not None)
    folds, fewer_folds = folds_for(rows, problem.folds)
    unlabelled, misfits = _unlabelled(table, formats, rows.X.index)
    return Experiment(
        name=name,
        rows=rows,
        estimator=defaults.pipeline(target.task, rows.X),
        folds=folds,
        source=table.source,
        csv_nulls=nulls_of(table, formats),
        number_formats=number_formats_of(formats),
        unlabelled=unlabelled,
        notes=(f"{target.task}: {target.reason}", *reading_notes(table, {problem.target: target_format} | formats)),
        warnings=(
            *_repeated_headers(table),
            *without_time,
            *target.warnings,
            *unusable,
            *nearly,
            *leaks(X, target.y, target.task),
            *misfits,
            *split_warnings,
            *fewer_folds,
        ),
    )


def _repeated_headers(table: Table) -> list[DataWarning]:
    if not table.repeated:
        return []
    return [DataWarning(f"rows that repeat the header are left out: {listed_lines(table.repeated)}", _REMOVE)]


def _in_order(table: Table, time_column: str | None) -> tuple["pd.Index[Any]", list[DataWarning]]:
    """Return all rows in the order of the file, or those that have a time in the order of their time."""
    index = table.index
    if time_column is None:
        return index, []
    moments = dates.moments(table.values(time_column, table.column_format(time_column)))
    order = moments.dropna().sort_values(kind="stable").index
    missing = len(index) - len(order)
    what = f"rows without a date or number in {time_column!r} are left out: {missing} of {len(index)}"
    return order, [DataWarning(what, "write all of them alike, such as 2026-12-31")] if missing else []


def _features(
    table: Table, formats: Mapping[str, ColumnFormat], rows: "pd.Index[Any]", problem: Problem
) -> tuple[pd.DataFrame, list[DataWarning]]:
    X = pd.DataFrame({name: table.values(name, each, rows) for name, each in formats.items()}, index=rows)
    # Numbers with a few other cells among them may all be different, and are no ids for that reason.
    nearly = [name for name, each in formats.items() if each.is_nearly_numbers]
    warnings = unusable_columns(X, keep=[*problem.keep, *nearly])
    X = X.drop(columns=[warning.column for warning in warnings])
    if X.empty:
        reasons = "; ".join(map(str, warnings)) or "the target is the only column"
        raise NothingToLearn(f"no column is left to predict the target from: {reasons}")
    return X, warnings


def _unlabelled(
    table: Table, formats: Mapping[str, ColumnFormat], fitted: "pd.Index[Any]"
) -> tuple[pd.DataFrame, list[DataWarning]]:
    """Return the rows that are not fitted on, without those whose cells do not fit their columns, such as totals."""
    others = table.index[~table.index.isin(fitted)]
    values = {name: table.values(name, each, others) for name, each in formats.items()}
    fits = pd.Series(True, index=others)
    for name, each in formats.items():
        cells = table.cells(name, others)
        fits &= values[name].notna() | np.array([*map(each.is_null, cells.different)])[cells.places]
    unlabelled = pd.DataFrame(values)[fits]
    lines = table.lines[others[~fits]].tolist()
    if not lines:
        return unlabelled, []
    what = f"rows without a target that do not fit their columns, such as totals or units: {listed_lines(lines)}"
    return unlabelled, [DataWarning(what, _REMOVE)]
