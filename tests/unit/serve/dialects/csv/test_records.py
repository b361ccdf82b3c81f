"""The records of a CSV: their line numbers, blocks and limits, and the syntax of numbers."""

import csv
import io
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifacts.number_formats import NUMBER
from serve.dialects.csv.records import BLOCK_CHARACTERS, BLOCK_ROWS, Record, Records, next_block
from serve.errors import InvalidInput

PLAIN = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"


def _blocks(rows: Iterator[Record]) -> list[list[Record]]:
    return list(iter(lambda: next_block(rows), []))


def _cells(text: str, delimiter: str = ",", *, max_cell: int = 100) -> list[list[str]] | str:
    """Return the cells of all records, or the code of the error."""
    try:
        return [record.cells for record in Records(io.StringIO(text, newline=""), delimiter, max_cell=max_cell)]
    except InvalidInput as error:
        return error.code


def _independent(text: str, delimiter: str) -> list[list[str]] | str:
    try:
        return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True) if row]
    except csv.Error:
        return "csv-malformed"


@given(text=st.text('a,"\n\r ', max_size=30), delimiter=st.sampled_from(",;\t"))
def test_records_are_those_of_the_standard_library(text: str, delimiter: str) -> None:
    """Records equal those of an independent reader without blank lines; what that reader refuses is refused."""
    assert _cells(text, delimiter) == _independent(text, delimiter)


@given(cells=st.lists(st.text("a\n\r", max_size=5), min_size=1, max_size=10))
def test_a_record_begins_on_a_physical_line(cells: list[str]) -> None:
    """All line breaks before a record are counted, also in quotes and blank lines."""
    text = "".join(f'\n"{cell}"\r\n' for cell in cells)

    found = [record.line for record in Records(io.StringIO(text, newline=""), ",", max_cell=100)]

    breaks = [len(re.findall(r"\r\n|\r|\n", cell)) + 2 for cell in cells]
    assert found == [2 + sum(breaks[:number]) for number in range(len(cells))]


@given(lengths=st.lists(st.sampled_from([0, 1, BLOCK_CHARACTERS // 3, BLOCK_CHARACTERS, 2 * BLOCK_CHARACTERS])))
def test_blocks_are_the_records_in_pieces(lengths: list[int]) -> None:
    """No record is lost or repeated, no block is empty, and a block ends with the row that fills it."""
    rows = [Record([str(number)], number, length) for number, length in enumerate(lengths)]

    found = _blocks(iter(rows))

    assert [record for block in found for record in block] == rows
    assert all(block for block in found)
    assert all(sum(record.length for record in block[:-1]) < BLOCK_CHARACTERS for block in found)


@pytest.mark.parametrize("count", [BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1, 3 * BLOCK_ROWS])
def test_a_block_has_so_many_rows_at_most(count: int) -> None:
    """Short rows are put together until the block is full."""
    found = [len(block) for block in _blocks(Record(["1"], line, 2) for line in range(count))]

    assert found == [BLOCK_ROWS] * (count // BLOCK_ROWS) + [count % BLOCK_ROWS] * (count % BLOCK_ROWS > 0)


@pytest.mark.parametrize("text", ["{},b\n", 'b,"{}"\n', "b\n{}"], ids=["plain", "quoted", "last"])
def test_a_cell_may_be_as_long_as_the_limit(text: str) -> None:
    """The limit is the greatest valid length, and it does not change other csv readers of the process."""
    before = csv.field_size_limit()

    assert isinstance(_cells(text.format("a" * 100)), list)
    assert _cells(text.format("a" * 101)) == "csv-cell-too-large"
    assert csv.field_size_limit() == before


@given(
    pieces=st.lists(st.sampled_from(["a", "b" * 9, ",", '"', '""', "\n", "\n", '"x,y"', ',"', "é"]), max_size=30),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_large_rows_are_kept_in_their_places(pieces: list[str], end: str) -> None:
    """A row that is too large is one record, whatever it contains, and the rows after it are read."""
    text = "".join(pieces).replace("\n", end)
    try:
        whole = list(Records(io.StringIO(text, newline=""), ",", max_cell=1_000))
    except InvalidInput:
        return
    records = Records(io.StringIO(text, newline=""), ",", max_cell=4, keeps_large=True)

    found = list(records)

    assert [record.line for record in found] == [record.line for record in whole]
    for record, expected in zip(found, whole, strict=True):
        is_large = expected.length > 64 or max(map(len, expected.cells)) > 4
        assert record.cells == ([] if is_large else expected.cells)
    assert records.taken == len(text.encode())


def test_a_large_row_of_quotes_only_is_refused() -> None:
    """A large row of quotes cannot be shortened, so it is refused before it fills the memory."""
    records = Records(io.StringIO('"",' * 10_000), ",", max_cell=100, keeps_large=True)

    with pytest.raises(InvalidInput, match="too large"):
        next(records)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", ""])
def test_a_row_may_be_as_long_as_16_cells(end: str) -> None:
    """All cells of a row together have a limit too, which includes the line break."""
    text = "abcd," * 400

    assert isinstance(_cells(text[: 1600 - len(end)] + end), list)
    assert _cells(text[: 1601 - len(end)] + end) == "csv-cell-too-large"


def test_a_larger_limit_than_the_standard_library_has_is_kept() -> None:
    """A deployment may allow larger cells than the 128 KiB that a reader takes by itself."""
    before = csv.field_size_limit()

    found = _cells("a" * 2**18, max_cell=2**18)

    csv.field_size_limit(before)
    assert found == [["a" * 2**18]]


@given(text=st.text("+-.eE01 x", max_size=12))
def test_a_number_matches_the_simple_expression(text: str) -> None:
    """The expression without backtracking matches the same texts as the simple one."""
    assert bool(NUMBER.fullmatch(text)) == bool(re.fullmatch(PLAIN, text))
