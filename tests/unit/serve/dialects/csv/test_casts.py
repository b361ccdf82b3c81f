"""Casts of whole columns accept only cells that the row-by-row check accepts, with the same values."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifacts import Column, Signature
from artifacts.kinds import kind_of
from serve.dialects.csv.casts import ColumnReader, are_few, cast_of
from serve.dialects.csv.pass_through import Cutter
from tests.support.csv_columns import COLUMNS, OPTIONS, SIGNATURE, cells


@settings(max_examples=250, deadline=None)
@given(texts=st.lists(cells, min_size=1, max_size=4), place=st.integers(0, len(COLUMNS) - 1))
def test_a_cast_agrees_with_the_check_or_leaves_the_cell_out(texts: list[str], place: int) -> None:
    """A cell that a cast accepts has exactly the value that the row-by-row check returns."""
    column = COLUMNS[place]
    nulls = frozenset(SIGNATURE.csv_nulls)
    _, cast = cast_of(column, nulls, OPTIONS.max_digits)
    array, good = cast(pa.array(texts, pa.string()))
    signature = Signature(container="frame", columns=(column,))

    batch = signature.check([kind_of(column).cell_reader(nulls)(texts)], max_digits=OPTIONS.max_digits)

    assert not (good & ~batch.good).any()
    [checked] = batch.data.arrays if not isinstance(batch.data, np.ndarray) else batch.data.T
    assert array.dtype == checked.dtype
    assert list(map(repr, array[good].tolist())) == list(map(repr, checked[good[batch.good]].tolist()))


LENGTH = Column(name="length", kind="float", dtype="float64", nullable=False)
COUNT = Column(name="count", kind="integer", dtype="int64", nullable=False)


def _read(lines: bytes, *columns: Column) -> tuple[list[list[object]], list[bool]] | None:
    casts = {place: cast_of(column, frozenset(), 20) for place, column in enumerate(columns)}
    read = ColumnReader(Cutter(len(columns), ","), casts).read(pa.py_buffer(lines))
    return read and ([array.tolist() for array in read[0]], read[1].tolist())


def test_lines_become_one_array_per_column() -> None:
    """Each column has the values of its cells."""
    assert _read(b"1.5,2\n2.5,3\n", LENGTH, COUNT) == ([[1.5, 2.5], [2, 3]], [True, True])


@pytest.mark.parametrize("cell", [b"x", b"0x10", b"", b"1e400"])
def test_a_row_with_an_invalid_cell_is_left_out(cell: bytes) -> None:
    """The other rows are cast nevertheless."""
    read = _read(b"1,2\n" * 4 + b"1.5," + cell + b"\n", LENGTH, COUNT)

    assert read
    assert read[1] == [True] * 4 + [False]


def test_lines_that_are_mostly_invalid_are_not_cast() -> None:
    """All of them are left to the row-by-row check."""
    assert _read(b"x,1\nx,2\n1,3\n", LENGTH, COUNT) is None


def test_at_most_one_invalid_row_in_four_is_accepted() -> None:
    """If more rows are invalid, too few valid rows remain for a cast."""
    assert not are_few(np.array([True, True, True, False]))
    assert are_few(np.array([True, True, False]))
