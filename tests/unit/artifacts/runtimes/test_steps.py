"""The steps of a program compute what scikit-learn's transformers compute."""

from typing import Any

import numpy as np
import pytest

from artifacts import Signature
from artifacts.runtimes.steps import (
    Arithmetic,
    Beside,
    Binned,
    Chain,
    Clip,
    Coded,
    Fill,
    Finite,
    Missing,
    Numbers,
    Project,
    Take,
)
from tests.support import tiny_models

ROWS = np.array([[1.0, np.nan, 3.0], [4.0, 5.0, 6.0]])
TABLE = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.0, 0.0]])


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (Numbers((0, 1, 2), "float64"), ROWS),
        (Numbers((2, 0), "float32"), ROWS[:, [2, 0]].astype("float32")),
        (Take((1,)), ROWS[:, [1]]),
        (Fill(np.array([7.0, 8.0, 9.0])), [[1.0, 8.0, 3.0], [4.0, 5.0, 6.0]]),
        (Missing((1, 2)), [[True, False], [False, False]]),
        (Arithmetic(("-", "/"), (np.array([1.0, 1.0, 1.0]), np.array([2.0, 2.0, 2.0]))), (ROWS - 1) / 2),
        (Clip(2.0, 5.0), np.clip(ROWS, 2.0, 5.0)),
        (Project(np.array([[1.0, 0.0, 1.0]]), np.array([0.5])), ROWS @ np.array([[1.0], [0.0], [1.0]]) - 0.5),
        (Chain((Take((0, 2)), Clip(2.0, 5.0))), np.clip(ROWS[:, [0, 2]], 2.0, 5.0)),
        (Beside((Take((0,)), Take((2,)))), ROWS[:, [0, 2]]),
        (Finite(takes_nulls=True), ROWS),
    ],
    ids=lambda case: type(case).__name__,
)
def test_a_step_transforms_an_array(step: Any, expected: Any) -> None:
    """The result has the expected values and the dtype of the step."""
    np.testing.assert_array_equal(step(ROWS), expected)


def test_rows_without_nulls_are_not_copied() -> None:
    """Filling nulls returns the same array if there are none."""
    rows = ROWS[1:]

    assert Fill(np.zeros(3))(rows) is rows


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_row_that_the_next_step_refuses_is_an_error(value: float) -> None:
    """Infinities are always refused, and nulls if scikit-learn's next step would refuse them."""
    with pytest.raises(ValueError, match="infinite"):
        Finite(takes_nulls=np.isinf(value))(np.array([[1.0, value]]))


@pytest.mark.parametrize("rows", [np.array([["a"], ["b"], [None], ["c"]], dtype=object)])
def test_values_are_coded_by_their_table(rows: Any) -> None:
    """Each value, a null and an unknown value have a row of the table; a strict encoder refuses unknown values."""
    np.testing.assert_array_equal(Coded(0, ("a", "b"), TABLE, is_strict=False)(rows), TABLE)
    with pytest.raises(ValueError, match="does not know"):
        Coded(0, ("a", "b"), TABLE, is_strict=True)(rows)


def test_numbers_are_coded_by_their_table() -> None:
    """Columns of numbers are coded column by column, nulls and unknown numbers as well."""
    rows = np.array([[1.0], [2.0], [np.nan], [1.5]])

    np.testing.assert_array_equal(Binned((np.array([1.0, 2.0]),), (TABLE,), is_strict=False)(rows), TABLE)
    with pytest.raises(ValueError, match="does not know"):
        Binned((np.array([1.0, 2.0]),), (TABLE,), is_strict=True)(rows)


def test_columns_of_several_dtypes_are_joined() -> None:
    """A table with several dtypes is read column by column."""
    columns = (tiny_models.column("length", "float64"), tiny_models.column("leaves", "int64"))
    table = Signature(container="frame", columns=columns).table([np.array([0.5, 1.0]), np.array([1, 2])])

    np.testing.assert_array_equal(Numbers((1, 0), "float64")(table), [[1.0, 0.5], [2.0, 1.0]])
    np.testing.assert_array_equal(Coded(1, (1,), TABLE[1:], is_strict=False)(table), TABLE[[1, 3]])
