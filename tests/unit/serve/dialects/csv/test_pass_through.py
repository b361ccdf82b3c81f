"""Rows of a CSV as they were sent, column by column."""

import io

import numpy as np

from serve.dialects.csv.lines import take
from serve.dialects.csv.pass_through import Cutter, PassedRows


def test_lines_and_cells_are_merged_in_the_order_of_the_rows() -> None:
    """Rows that were read as lines and rows that were read one by one are one table."""
    lines = take(io.BytesIO(b"a,1\nc,3\n"), 0, 2, delimiter=",", max_bytes=9, max_rows=9)
    mask = np.array([True, False, True])

    columns = PassedRows([['b"', "2"]], Cutter(2, ","), mask, lines).columns()

    assert [column.to_pylist() for column in columns] == [["a", 'b"', "c"], ["1", "2", "3"]]


def test_rows_of_one_kind_need_no_merge() -> None:
    """A table of lines only, or of cells only, is returned without a merge."""
    lines = take(io.BytesIO(b"a,1\n"), 0, 2, delimiter=",", max_bytes=9, max_rows=9)

    as_lines = PassedRows([], Cutter(2, ","), np.array([True]), lines).columns()
    as_cells = PassedRows([["a", "1"]], Cutter(2, ","), np.array([False])).columns()

    assert [column.to_pylist() for column in as_lines] == [column.to_pylist() for column in as_cells] == [["a"], ["1"]]
