"""The rows of any table are split so that the model can be evaluated, and its server accepts all of them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from train.errors import NothingToLearn
from train.fit import Split
from train.splitting import folds_for, split_rows

ROWS = 50
Y = pd.Series(["a", "b"] * 25, name="kind")
AMOUNT = pd.Series(np.linspace(0, 1, ROWS), name="amount")


def columns(**more: Any) -> pd.DataFrame:
    """A table with a number and these columns."""
    return pd.DataFrame({"number": np.arange(ROWS) + 0.5, **more})


@pytest.mark.parametrize("row", range(0, ROWS, 7))
def test_rare_values_are_fitted_on(row: int) -> None:
    """The only null and the only row of a category are not held back, wherever they are."""
    X = columns(hole=1.0, kind="common")
    X.loc[row, "hole"] = np.nan
    X.loc[(row + 3) % ROWS, "kind"] = "rare"

    rows, warnings = split_rows("classification", X, Y)

    assert rows.X["hole"].isna().sum() == 1
    assert (rows.X["kind"] == "rare").sum() == 1
    assert sorted([*rows.X.index, *rows.X_held.index]) == list(range(ROWS))
    assert rows.y.equals(Y[rows.X.index])
    assert rows.y_held.equals(Y[rows.X_held.index])
    assert warnings == []


def test_too_many_rare_values_stay_held_back() -> None:
    """If most held-back rows would move, all stay, and a warning says what a server will refuse."""
    X = columns(**{name: [name if row % 3 != at else f"{row}" for row in range(ROWS)] for at, name in enumerate("abc")})

    rows, [warning] = split_rows("classification", X, Y)

    assert len(rows.X_held) == 10
    assert warning.what.startswith("only held-back rows have some nulls or categories of 'a', 'b', 'c': ")


def test_in_time_the_latest_rows_are_held_back() -> None:
    """The last fifth is held back and no row moves; a warning names what only it has."""
    X = columns(hole=[1.0] * 45 + [np.nan] * 5)

    rows, [warning] = split_rows("regression", X, AMOUNT, in_time=True)

    assert rows.in_time
    assert rows.X_held.index.tolist() == list(range(40, 50))
    assert warning.what == "only held-back rows have some nulls or categories of 'hole': these are not learned"


def test_in_time_new_classes_are_left_out() -> None:
    """A class that only the latest rows have cannot have been learned."""
    y = Y.where(Y.index < 48, "new")

    rows, [warning] = split_rows("classification", columns(), y, in_time=True)

    assert rows.y_held.tolist() == ["a", "b"] * 4
    assert warning.what == "rows of classes that no earlier row has ('new') are left out: 2 of the latest 10"


def test_in_time_only_new_classes_are_refused() -> None:
    """If all of the latest rows are of new classes, the model cannot be evaluated."""
    with pytest.raises(NothingToLearn, match="classes that no earlier row has: 'new'"):
        split_rows("classification", columns(), Y.where(Y.index < 40, "new"), in_time=True)


def test_more_classes_than_rows_to_hold_back_are_refused() -> None:
    """Each class must be among the held-back rows."""
    y = pd.Series([f"class {row % 12}" for row in range(ROWS)])

    with pytest.raises(NothingToLearn, match="50 rows are too few to hold back one row of each of 12 classes"):
        split_rows("classification", columns(), y)


def rows_of(y: "pd.Series[Any]", *, in_time: bool = False) -> Split:
    """Rows to fit on, without held-back rows."""
    task: Any = "regression" if y.dtype == float else "classification"
    X = pd.DataFrame({"number": np.arange(len(y))})
    return Split(task, X, y, X.iloc[:0], y.iloc[:0], in_time)


@pytest.mark.parametrize(
    ("y", "in_time", "folds"),
    [
        (["a"] * 9 + ["b"] * 5, False, 5),
        (["a"] * 9 + ["b"] * 3, False, 3),
        ([0.5] * 10, False, 5),
        ([0.5] * 7, False, 3),
        ([0.5] * 12, True, 5),
        ([0.5] * 8, True, 3),
        (["a", "b"] * 12, True, 5),
        (["a"] * 6 + ["b"] * 18, True, 4),
    ],
)
def test_folds_are_as_many_as_the_rows_allow(y: Any, folds: int, *, in_time: bool) -> None:
    """A class is in every fold, a fold has two rows, and in time even the first has two classes to learn."""
    found, warnings = folds_for(rows_of(pd.Series(y), in_time=in_time), 5)

    assert found == folds
    assert [warning.what.split(",")[0] for warning in warnings] == (
        [f"{folds} folds instead of 5"] if folds < 5 else []
    )


def test_classes_one_after_the_other_have_no_folds_in_time() -> None:
    """Where the first third is of one class, no model can be fitted to it."""
    with pytest.raises(NothingToLearn, match="the earliest rows are all of one class, 'a': leave out --time-column"):
        folds_for(rows_of(pd.Series(["a"] * 20 + ["b"] * 10), in_time=True), 5)
