"""An experiment from a recipe or from any table: what is fitted on which rows, and evaluated on which."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from train.csv_file import read_csv
from train.errors import ColumnMissing, NothingToLearn
from train.experiments import Problem, of_recipe, of_table
from train.recipes import all_recipes
from train.tables import Table

ROWS = 60
CHANCE = np.random.default_rng(0)


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Table]:
    """Reads a CSV with a good column, which has a null, a target and these columns."""

    def table(**more: Any) -> Table:
        frame = pd.DataFrame({"good": CHANCE.normal(size=ROWS), "kind": ["a", "b"] * 30, **more})
        frame["good"] = frame["good"].astype(object).where(frame.index != ROWS // 2, "NA")
        frame.to_csv(tmp_path / "rows.csv", index=False)
        return read_csv(tmp_path / "rows.csv")

    return table


@pytest.mark.parametrize("name", list(all_recipes()))
def test_a_recipe_is_an_experiment(name: str) -> None:
    """The task is that of the unfitted estimator; thresholds, labels and nulls are those of the recipe."""
    recipe = all_recipes()[name]

    plan = of_recipe(recipe, folds=4)

    assert plan.rows.task == ("regression" if name == "diabetes" else "classification")
    assert (plan.name, plan.source, plan.folds) == (name, recipe.source, 4)
    assert (plan.csv_nulls, plan.labels, plan.thresholds) == (recipe.csv_nulls, recipe.labels, recipe.thresholds)
    assert plan.warnings == ()


def test_a_table_is_analysed(table: Callable[..., Table]) -> None:
    """Task, nulls and columns come from the values; each column that is left out has a warning."""
    plan = of_table(table(id=np.arange(ROWS), same=1, code=[0, 1] * 30), Problem("kind"), name="mine")

    assert plan.rows.task == "classification"
    assert plan.rows.X.columns.tolist() == ["good", "code"]
    assert plan.notes == (
        "classification: 'kind' holds 2 distinct texts",
        "read as null, here and by the server: an empty cell, 'NA'",
    )
    assert [warning.what.split(" and ")[0] for warning in plan.warnings] == [
        "column 'id' identifies rows, as an id does,",
        "column 'same' is always 1,",
        "column 'code' alone predicts 'kind' with a score of 1.0000",
    ]
    assert (plan.name, plan.source, plan.csv_nulls, plan.folds) == ("mine", "rows.csv", ("NA",), 5)


def test_dropped_columns_are_no_features(table: Callable[..., Table]) -> None:
    """Neither are the target and the time column; a dropped column has no warning."""
    question = Problem("kind", drop=("id", "same"), time_column="day")
    plan = of_table(table(id=np.arange(ROWS), same=1, day=np.arange(ROWS)[::-1]), question, name="mine")

    assert plan.rows.X.columns.tolist() == ["good"]
    assert plan.warnings == ()
    assert plan.rows.in_time
    assert plan.rows.X_held.index.tolist() == list(range(11, -1, -1))


def test_kept_columns_are_features(table: Callable[..., Table]) -> None:
    """A column that only looks like an id can be kept."""
    plan = of_table(table(year=np.arange(ROWS) + 1960), Problem("kind", keep=("year",)), name="mine")

    assert plan.rows.X.columns.tolist() == ["good", "year"]


def test_rows_without_a_time_are_left_out(table: Callable[..., Table]) -> None:
    """They are counted, and the other rows are in the order of their time."""
    days = [f"2026-{1 + row % 12:02}-01" if row else "soon" for row in range(ROWS)]

    plan = of_table(table(day=days), Problem("kind", time_column="day"), name="mine")

    assert len(plan.rows.X) + len(plan.rows.X_held) == ROWS - 1
    assert plan.warnings[0].what == "rows without a date or number in 'day' are left out: 1 of 60"


def test_rare_classes_mean_fewer_folds(table: Callable[..., Table]) -> None:
    """A class of four rows has three to learn from, and so three folds."""
    plan = of_table(table(kind=["a", "b"] * 28 + ["c"] * 4), Problem("kind"), name="mine")

    assert plan.folds == 3
    assert plan.warnings[-1].what == "3 folds instead of 5, since the rarest class has too few rows"


@pytest.mark.parametrize(
    "question",
    [
        Problem("knid"),
        Problem("kind", drop=("knid",)),
        Problem("kind", keep=("knid",)),
        Problem("kind", time_column="knid"),
    ],
)
def test_columns_must_be_there(table: Callable[..., Table], question: Problem) -> None:
    """Each column that is named is looked for before anything is done."""
    with pytest.raises(ColumnMissing, match=r"no column 'knid'; it has good, kind\. Did you mean 'kind'"):
        of_table(table(), question, name="mine")


@pytest.mark.parametrize(
    ("more", "drop", "reason"),
    [
        ({}, ("good",), "no column is left to predict the target from: the target is the only column"),
        (
            {"id": np.arange(ROWS)},
            ("good",),
            "from: column 'id' identifies rows",
        ),
        ({"kind": "a"}, (), "has fewer than two classes"),
    ],
)
def test_columns_and_classes_must_be_left(
    table: Callable[..., Table], more: dict[str, Any], drop: tuple[str, ...], reason: str
) -> None:
    """Without them there is nothing to learn, and the message says why."""
    with pytest.raises(NothingToLearn, match=reason):
        of_table(table(**more), Problem("kind", drop=drop), name="mine")
