"""The task of a target column, and the rows that can be used."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from train.admission import Task
from train.data_checks import DataWarning
from train.errors import NothingToLearn
from train.targets import target_of


def column(values: Any) -> "pd.Series[Any]":
    """A column called `kind`."""
    return pd.Series(values, name="kind")


@pytest.mark.parametrize(
    ("values", "task", "reason"),
    [
        (["a", "b"] * 10, "classification", "'kind' holds 2 distinct texts"),
        ([True, False] * 10, "classification", "'kind' holds 2 distinct booleans"),
        ([0, 1] * 10, "classification", "'kind' holds 2 distinct integers"),
        ([0.0, 1.0, np.nan, np.nan] * 5, "classification", "'kind' holds 2 distinct integers"),
        ([3, 4, 5, 6, 7] * 10, "classification", "'kind' holds 5 distinct integers"),
        ([3, 4, 5, 6, 7] * 9, "regression", "'kind' holds 5 distinct integers"),
        (list(range(21)) * 20, "regression", "'kind' holds 21 distinct integers"),
        ([0.5, 1.5] * 10, "regression", "'kind' holds 2 distinct numbers"),
    ],
    ids=["texts", "booleans", "two", "holes", "few", "few rows each", "many", "fractions"],
)
def test_the_task_is_detected(values: Any, task: str, reason: str) -> None:
    """Texts, booleans and few integers are classes; other numbers are regression targets."""
    target = target_of(column(values))

    assert (target.task, target.reason) == (task, reason)


def test_texts_that_are_nearly_numbers_can_be_classes() -> None:
    """An option makes classes of them; without it they are refused with that advice."""
    digits, doubt = column(["0", "1", "2", "3", "?"] * 5), DataWarning("it would be numbers", "--null '?'")

    assert target_of(digits, task="classification", doubt=doubt).y.nunique() == 5
    with pytest.raises(NothingToLearn, match=r"it would be numbers; --null '\?', or use its texts as classes"):
        target_of(digits, doubt=doubt)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_task_can_be_given(task: Task) -> None:
    """The given task is used if the values allow it."""
    target = target_of(column(list(range(10)) * 3), task=task)

    assert target.task == task
    assert len(target.y) == 30


def test_rows_without_a_target_are_left_out() -> None:
    """They are counted, and what was read as null is named, for it may be a class."""
    target = target_of(column(["a", "b", None] * 10), nulls=["NA"])

    assert target.y.index.tolist() == [row for row in range(30) if row % 3 != 2]
    [warning] = target.warnings
    assert warning.what == "rows without 'kind' (an empty cell, or 'NA') are left out: 10 of 30"
    assert "--nulls" in warning.advice


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (np.array([True, np.nan, False] * 10, dtype=object), "bool"),
        ([1.0, np.nan, 0.0] * 10, "int64"),
        ([0.5, np.nan, 1.5] * 10, "float64"),
        ([float(2**60), np.nan, 0.0] * 10, "float64"),
    ],
)
def test_nulls_do_not_change_the_type(values: Any, dtype: str) -> None:
    """Booleans are not objects and integers are not floats because of rows without a target."""
    assert target_of(column(values), task="regression" if dtype == "float64" else None).y.dtype == dtype


def test_a_rare_class_is_left_out() -> None:
    """Two rows of a class are too few to fit, evaluate and cross-validate; three are enough."""
    target = target_of(column(["a"] * 10 + ["b"] * 3 + ["c"] * 2))

    assert sorted(set(target.y)) == ["a", "b"]
    [warning] = target.warnings
    assert warning.what == "class 'c' is left out: with 2 of 15 rows it is too rare to fit and to evaluate on"


@pytest.mark.parametrize(
    ("values", "task", "reason"),
    [
        (["a", "b"] * 4, None, "8 rows have a usable 'kind', and at least 10 are needed"),
        ([None] * 20, None, "has no value at all"),
        ([np.nan] * 20, "regression", "has no value at all"),
        (["a"] * 20, None, "has fewer than two classes with 3 rows"),
        ([1.5] * 20, None, "is constant"),
        ([f"name {number}" for number in range(20)], None, "holds 20 values in 20 rows, too many for classes"),
        (["a", "b"] * 10, "regression", "holds 'a', and regression predicts numbers"),
        ([True, False] * 10, "regression", "holds True, and regression predicts numbers"),
        ([0.5, 1.5] * 10, "classification", "holds 0.5: classes must be texts, integers or booleans"),
    ],
)
def test_a_target_that_cannot_be_learned_is_refused(values: Any, task: Task | None, reason: str) -> None:
    """The message says what the column holds and what is needed."""
    with pytest.raises(NothingToLearn, match=reason):
        target_of(column(values), task=task)
