"""Records of a CSV, read one by one, each with the physical line that it begins on."""

import csv
import re
from collections.abc import Iterator
from typing import NamedTuple, TextIO

from serve.errors import InvalidInput

BLOCK_ROWS = 5_000
# A block ends sooner where rows or their answers are long: with the row that reaches this many characters.
BLOCK_CHARACTERS = 2**19

# A row may be as long as this many of the longest cells.
_ROW_CELLS = 16
# A run of characters that the quoting does not depend on: its first and last show where cells end.
_RUN = re.compile(r'([^"\r\n])[^"\r\n]*([^"\r\n])')
_PIECE_CHARACTERS = 2**16


class Record(NamedTuple):
    """One row: its cells, or none if it is too large; the physical line that it begins on; its length in characters."""

    cells: list[str]
    line: int
    length: int


class Records:
    """The records of a text, without blank lines."""

    def __init__(
        self, text: TextIO, delimiter: str, *, max_cell: int, line: int = 1, keeps_large: bool = False
    ) -> None:
        """
        Begin at the beginning of a record.

        Args:
            text: The text from there on.
            delimiter: The character between cells.
            max_cell: The most characters of a cell; a row may have 16 times as many.
            line: The number of its first physical line.
            keeps_large: Whether a row that is too large becomes a record without cells, instead of an error.
        """
        longest = _ROW_CELLS * max_cell
        # That limit is global, and other libraries read CSV too: it is only ever raised.
        csv.field_size_limit(max(2 * longest if keeps_large else max_cell, csv.field_size_limit()))
        self._max_cell = max_cell
        self._keeps_large = keeps_large
        self._lines = _Lines(text, longest, outlines=keeps_large)
        self._reader = csv.reader(self._lines, delimiter=delimiter, strict=True)
        self._first = line

    def __iter__(self) -> Iterator[Record]:
        return self

    def __next__(self) -> Record:
        """
        Return the next record.

        Raises:
            InvalidInput: The quoting is broken, or a cell or a row is too large and not kept.
        """
        while True:
            line = self.line
            cells = self._cells(line)
            length = self._lines.begin_row()
            is_large = length > self._max_cell and (
                length > self._lines.longest or max(map(len, cells), default=0) > self._max_cell
            )
            if is_large and not self._keeps_large:
                raise _too_large(line)
            if is_large:
                return Record([], line, length)
            if cells:
                return Record(cells, line, length)

    @property
    def line(self) -> int:
        """The physical line on which the next record or blank line begins."""
        return self._first + self._reader.line_num

    @property
    def taken(self) -> int:
        """How many bytes of UTF-8 the records that were returned take in the file, blank lines included."""
        return self._lines.taken

    def _cells(self, line: int) -> list[str]:
        try:
            return next(self._reader)
        except csv.Error as error:
            if isinstance(error, _TooLong) or "field larger" in str(error):
                raise _too_large(line) from error
            raise InvalidInput("csv-malformed", f"the quoting of the CSV is broken on line {line}") from error


def next_block(rows: Iterator[Record], *, answered: int = 0) -> list[Record]:
    """
    Return the next records, so many that they fit into memory however long they are.

    Args:
        rows: All records.
        answered: How many characters the answer to a record has, besides its own.
    """
    group: list[Record] = []
    length = 0
    for record in rows:
        group.append(record)
        length += record.length + answered
        if len(group) == BLOCK_ROWS or length >= BLOCK_CHARACTERS:
            break
    return group


class _Lines:
    """
    The physical lines of a text, with a limit on the characters of a row; `taken` counts bytes.

    With `outlines`, each line of a longer row is reduced to its outline, which shows where cells and the row end.
    """

    def __init__(self, text: TextIO, longest: int, *, outlines: bool) -> None:
        self._readline = text.readline
        self.longest = self._left = longest
        self._outlined = 0
        self._outlines = outlines
        self._held = ""
        self.taken = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._read(max(self._left, 0) + 1)
        if not line:
            raise StopIteration
        if self._left >= 0:
            return line
        if not self._outlines:
            raise _TooLong
        return self._outline(line)

    def begin_row(self) -> int:
        """Reset the limit for the next row, and return how many characters the last one took."""
        taken = self.longest - self._left
        self._left, self._outlined = self.longest, 0
        return taken

    def _read(self, most: int) -> str:
        held, self._held = self._held, ""
        piece = held if held == "\r" else held + self._readline(most)
        self._left -= len(piece)
        self.taken += len(piece) if piece.isascii() else len(piece.encode())
        return piece

    def _outline(self, piece: str) -> str:
        """Return the outline of a line, given its first piece; outlines have a limit too, for rows of quotes."""
        pieces = []
        while piece:
            pieces.append(_RUN.sub(r"\1\2", piece))
            self._outlined += len(pieces[-1])
            if self._outlined > self.longest:
                raise _TooLong
            piece = "" if piece.endswith(("\n", "\r")) else self._read(_PIECE_CHARACTERS)
        if pieces[-1].endswith("\r"):
            # The limit of the piece may have cut a line break in two.
            self._held = self._readline(1)
            if self._held == "\n":
                self._read(0)
        return "".join(pieces)


class _TooLong(csv.Error):
    """A row is longer than it may be."""


def _too_large(line: int) -> InvalidInput:
    return InvalidInput("csv-cell-too-large", f"the row on line {line} or one of its cells is too large")
