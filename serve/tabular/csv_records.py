"""The records of a CSV, each with the physical line that it begins on, in blocks that fit into memory."""

import csv
from collections.abc import Iterator
from typing import NamedTuple, TextIO

from serve.errors import InvalidInput

BLOCK_ROWS = 5_000
# Where rows or the answers to them are long, a block ends sooner: with the row that reaches so many characters.
BLOCK_CHARACTERS = 2**19

# How many of the largest cells a row may be long, all its cells together.
_ROW_CELLS = 16


class Record(NamedTuple):
    """One row: its cells, the physical line it begins on, and its length in characters."""

    cells: list[str]
    line: int
    length: int


def records(text: TextIO, delimiter: str, *, max_cell: int) -> Iterator[Record]:
    """
    Each record that is not a blank line.

    Raises:
        InvalidInput: A cell is longer than `max_cell` characters, a row than 16 such cells, or the quoting is broken.
    """
    # That limit is the whole process's, and other libraries read CSV too: it is only ever raised.
    csv.field_size_limit(max(max_cell, csv.field_size_limit()))
    lines = _Lines(text, _ROW_CELLS * max_cell)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    line = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            if isinstance(error, _TooLong) or "field larger" in str(error):
                raise _too_large(line) from error
            raise InvalidInput("csv-malformed", f"the quoting of the CSV is broken on line {line}") from error
        if cells is None:
            return
        length = lines.begin_row()
        if length > max_cell and max(map(len, cells), default=0) > max_cell:
            raise _too_large(line)
        if cells:
            yield Record(cells, line, length)
        line = reader.line_num + 1


def blocks(rows: Iterator[Record], *, answered: int = 0) -> Iterator[list[Record]]:
    """
    The records of one block after the other, so many that they fit into memory however long they are.

    Args:
        rows: All records.
        answered: How many characters the answer to a record counts, besides its own.
    """
    # Not a generator: its frame would hold on to a block for as long as the answer to it is on its way out.
    return iter(lambda: _block(rows, answered), [])


def _block(rows: Iterator[Record], answered: int) -> list[Record]:
    group: list[Record] = []
    length = 0
    for record in rows:
        group.append(record)
        length += record.length + answered
        if len(group) == BLOCK_ROWS or length >= BLOCK_CHARACTERS:
            break
    return group


class _Lines:
    """The physical lines of a text, of which each row may take only so many characters."""

    def __init__(self, text: TextIO, longest: int) -> None:
        self._readline = text.readline
        self._longest = self._left = longest

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._readline(self._left + 1)
        if not line:
            raise StopIteration
        self._left -= len(line)
        if self._left < 0:
            raise _TooLong
        return line

    def begin_row(self) -> int:
        """Grant the next row its characters, and say how many the last one took."""
        taken = self._longest - self._left
        self._left = self._longest
        return taken


class _TooLong(csv.Error):
    """A row, all its cells together, is longer than it may be."""


def _too_large(line: int) -> InvalidInput:
    return InvalidInput("csv-cell-too-large", f"a cell of the row on line {line} is too large")
