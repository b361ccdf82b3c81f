"""Random rows: every extreme value of every column, in a number of rows that does not grow with the columns."""

from typing import Any

import numpy as np
import pytest

from artifacts import Column, Signature
from train.compile.samples import _extremes, drawn, extreme, too_large


def _signature(columns: int) -> Signature:
    kinds: list[dict[str, Any]] = [
        {"kind": "float", "dtype": "float64", "nullable": True, "minimum": 0.5, "maximum": 9.5},
        {"kind": "integer", "dtype": "int8", "nullable": False, "minimum": 0, "maximum": 9},
        {"kind": "integer", "dtype": "Int64", "nullable": True, "minimum": 0, "maximum": 9},
        {"kind": "boolean", "dtype": "bool", "nullable": False},
        {"kind": "text", "dtype": "str", "nullable": False, "minimum": 1, "maximum": 9},
    ]
    return Signature(
        container="frame", columns=tuple(Column(name=f"c{place}", **kinds[place % 5]) for place in range(columns))
    )


@pytest.mark.parametrize("columns", [5, 500])
def test_every_column_meets_each_of_its_extremes(columns: int) -> None:
    """Zeros of both signs, the smallest number and the bounds of integers are in every column that takes them."""
    signature = _signature(columns)

    table: Any = extreme(signature)

    for column, array in zip(signature.columns, table.arrays, strict=True):
        assert set(map(repr, _extremes(column))) <= set(map(repr, array.tolist()))


def test_columns_add_no_rows_of_extremes() -> None:
    """Beyond some columns, several of them are extreme in one row."""
    assert len(extreme(_signature(5_000))) == len(extreme(_signature(500))) < 500


def test_up_to_some_columns_a_row_has_one_extreme() -> None:
    """In a small table a disagreement is the doing of one value."""
    table: Any = extreme(_signature(5))

    one_bent = [1e6, -1e6, 1e12]
    row = int(np.flatnonzero(table.arrays[0] == one_bent[0])[0])
    assert all(-2 <= array[row] <= 11 for array in table.arrays[1:2])
    assert np.isin(table.arrays[0], one_bent).sum() == len(one_bent)


def test_numbers_beyond_single_precision_are_in_a_few_columns() -> None:
    """Some models refuse such a row, which hides its other columns."""
    table: Any = too_large(_signature(500))

    assert sum(np.nanmax(np.abs(table.arrays[place])) > 1e38 for place in range(0, 500, 5)) == 8


def test_drawn_rows_stay_near_the_range_of_training() -> None:
    """Numbers go a little beyond it, nulls come where they may, and texts are texts."""
    numbers, small, masked, flags, texts = drawn(_signature(5), 1_000).arrays  # type: ignore[union-attr]

    assert -0.5 < np.nanmin(numbers) < 0.5
    assert 9.5 < np.nanmax(numbers) < 10.5
    assert np.isnan(numbers).any()
    assert {int(value) for value in small} == set(range(-1, 11))
    assert {type(value) for value in masked} == {int, type(None)}
    assert set(flags.tolist()) == {True, False}
    assert {type(text) for text in texts} == {str}
