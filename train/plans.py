"""What is to be learned, from which rows, and judged by which: drawn up from a recipe, or from any table."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_regressor

from artifacts.number_formats import PLAIN, NumberFormat, number_of
from train import dates, defaults
from train.admission import Task
from train.cells import Reading
from train.data_checks import Hazard, suspicion, unfit
from train.errors import NothingToLearn
from train.fit import Split, split
from train.leaks import leaks
from train.recipes import Recipe
from train.splitting import folds_for, parted
from train.tables import Table, formats_of, nulls_of
from train.targets import target_of

_MOST_NAMED = 8
# A number whose only points are such as separate thousands.
_GROUPED = re.compile(r"[+-]?[1-9][0-9]{0,2}\.[0-9]{3}")
_REMOVE = "remove them from the file: the server answers each with an error"


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
        number_formats: How a CSV writes numbers, by column, where not as JSON does.
        unlabelled: Rows that teach nothing: those held back, and those whose target is missing or too rare.
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
    number_formats: Mapping[str, NumberFormat] = field(default_factory=dict)
    unlabelled: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()
    hazards: tuple[Hazard, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
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


def of_table(table: Table, question: Problem, *, name: str) -> Plan:
    """
    What can be learned from a table of which nothing is known but its target.

    Raises:
        ColumnMissing: The table has not the columns that the question names.
        NothingToLearn: No two classes, no column or too few rows are left.
    """
    table.demand(question.target, *question.drop, *question.keep, *question.by_time)
    if question.target in question.drop:
        raise NothingToLearn(
            f"{question.target!r} is what is to be predicted, and cannot be dropped: leave it out of --drop"
        )
    try:
        return _plan(table, question, name=name)
    except NothingToLearn as error:
        nulls = table.nulls
        raise NothingToLearn(f"{error}; {_null_words(nulls)}" if nulls else str(error)) from error


def _plan(table: Table, question: Problem, *, name: str) -> Plan:
    order, timeless = _in_order(table, question.time_column)
    told = table.reading(question.target)
    target = target_of(
        table.values(question.target, told, order),
        task=question.task,
        nulls=nulls_of(table, {question.target: told}),
        doubt=suspicion(table, question.target, told),
    )
    # What the columns hold is judged by the rows that teach: a footer, say, has no target.
    taught = target.y.index
    readings = {
        name: table.reading(name, taught)
        for name in table.columns
        if name not in {question.target, *question.drop, *question.by_time}
    }
    X, unfits = _features(table, readings, taught, question)
    readings = {str(name): readings[str(name)] for name in X}
    doubts = [hazard for name, reading in readings.items() if (hazard := suspicion(table, name, reading))]
    hazards = [*_repeated(table), *timeless, *target.hazards, *unfits, *doubts, *leaks(X, target.y, target.task)]
    rows, lone = parted(target.task, X, target.y, in_time=bool(question.by_time))
    folds, fewer = folds_for(rows, question.folds)
    unlabelled, misfits = _unlabelled(table, readings, rows.X.index)
    return Plan(
        name=name,
        rows=rows,
        estimator=defaults.pipeline(target.task, rows.X),
        folds=folds,
        source=table.source,
        csv_nulls=nulls_of(table, readings),
        number_formats=formats_of(readings),
        unlabelled=unlabelled,
        notes=(f"{target.task}: {target.reason}", *_notes(table, {question.target: told, **readings})),
        hazards=(*hazards, *misfits, *lone, *fewer),
    )


def _null_words(nulls: Sequence[str]) -> str:
    return f"read as null: an empty cell, {', '.join(map(repr, nulls))}"


def _notes(table: Table, readings: Mapping[str, Reading]) -> list[str]:
    """What is read otherwise than it stands: nulls and numbers."""
    nulls = nulls_of(table, readings)
    found = [f"read as null, here and by the server: an empty cell, {', '.join(map(repr, nulls))}"] if nulls else []
    formats = sorted(formats_of(readings).items(), key=lambda item: item[1].words)
    for words, group in groupby(formats, key=lambda item: item[1].words):
        columns = [(name, *_shown(table, name, numbers)) for name, numbers in group]
        named = ", ".join(f"{name!r} ({cell!r} is {value})" for name, cell, value in columns[:_MOST_NAMED] if cell)
        more = f", and {len(columns) - _MOST_NAMED} more" if len(columns) > _MOST_NAMED else ""
        found.append(f"read as numbers with {words}, here and by the server: {named}{more}")
    return found + _doubtful_points(table, readings)


def _doubtful_points(table: Table, readings: Mapping[str, Reading]) -> list[str]:
    """Columns whose points may separate thousands, as another column of the file has a decimal comma."""
    if all(numbers.decimal != "," for numbers in formats_of(readings).values()):
        return []
    return [
        f"{name!r} is read with a decimal point ({cells[0]!r} is {number_of(cells[0])}); if points separate thousands: "
        "--thousands ."
        for name, reading in readings.items()
        if reading.kind == "number" and reading.numbers == PLAIN and (cells := _grouped(table, name))
    ]


def _grouped(table: Table, name: str) -> list[str]:
    """The cells of a column that have a point, if three digits follow every one of them."""
    cells = [cell.strip() for cell in table.columns[name].counts if "." in cell]
    return cells if all(map(_GROUPED.fullmatch, cells)) else []


def _shown(table: Table, name: str, numbers: NumberFormat) -> tuple[str, int | float]:
    """A cell that is not written as in JSON, and its value."""
    read = ((cell.strip(), numbers.read(cell, strict=True)) for cell in table.columns[name].different)
    spelled = [(cell, value) for cell, value in read if value is not None and number_of(cell) != value]
    return next(iter(spelled), ("", 0))


def _repeated(table: Table) -> list[Hazard]:
    if not table.repeated:
        return []
    return [Hazard(f"rows that repeat the header are left out: {_listed(table.repeated)}", _REMOVE)]


def _in_order(table: Table, time_column: str | None) -> tuple["pd.Index[Any]", list[Hazard]]:
    """The rows as they came, or those that have a time, in its order."""
    index = table.index
    if time_column is None:
        return index, []
    moments = dates.moments(table.values(time_column, table.reading(time_column)))
    order = moments.dropna().sort_values(kind="stable").index
    gone = len(index) - len(order)
    what = f"rows without a date or number in {time_column!r} are left out: {gone} of {len(index)}"
    return order, [Hazard(what, "write all of them alike, such as 2026-12-31")] if gone else []


def _features(
    table: Table, readings: Mapping[str, Reading], rows: "pd.Index[Any]", question: Problem
) -> tuple[pd.DataFrame, list[Hazard]]:
    """The columns to learn from."""
    X = pd.DataFrame({name: table.values(name, reading, rows) for name, reading in readings.items()}, index=rows)
    # Of numbers with a stray cell among them no two may be alike, and they are no ids for that.
    nearly = [name for name, reading in readings.items() if reading.is_nearly_numbers]
    unfits = unfit(X, keep=[*question.keep, *nearly])
    X = X.drop(columns=[hazard.column for hazard in unfits])
    if X.empty:
        reasons = (
            "; ".join(map(str, unfits)) or "the target is its only column, and others must be there to predict it from"
        )
        raise NothingToLearn(f"no column is left to learn from: {reasons}")
    return X, unfits


def _unlabelled(
    table: Table, readings: Mapping[str, Reading], taught: "pd.Index[Any]"
) -> tuple[pd.DataFrame, list[Hazard]]:
    """The other rows, without those whose cells are not what their columns hold, such as totals and units."""
    others = table.index[~table.index.isin(taught)]
    values = {name: table.values(name, reading, others) for name, reading in readings.items()}
    fits = pd.Series(True, index=others)
    for name, reading in readings.items():
        cells = table.cells(name, others)
        fits &= values[name].notna() | np.array([*map(reading.is_null, cells.different)])[cells.places]
    unlabelled = pd.DataFrame(values)[fits]
    lines = table.lines[others[~fits]].tolist()
    if not lines:
        return unlabelled, []
    what = f"rows that teach nothing and do not fit their columns, such as totals or units: {_listed(lines)}"
    return unlabelled, [Hazard(what, _REMOVE)]


def _listed(lines: Sequence[int]) -> str:
    more = ", ..." if len(lines) > _MOST_NAMED else ""
    return f"{len(lines)}, on line {', '.join(map(str, lines[:_MOST_NAMED]))}{more}"
