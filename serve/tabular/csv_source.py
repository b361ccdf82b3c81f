"""CSV in: checked as a whole first, then read once, block by block."""

import codecs
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from pydantic_core import from_json

from artifacts.columns import Batch, Fault, Signature
from serve.errors import InvalidInput
from serve.tabular.csv_records import Record, blocks, records
from serve.tabular.options import DELIMITERS, NUMBER, CsvOptions, added_columns

_CHUNK = 2**20
_WHOLE = re.compile(r"[+-]?[0-9]+")
# A whole number of more digits than this is cut: it is refused as too long all the same.
_LONGEST_WHOLE = 1_000


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows in their order: the cells as they came, the line each began on, and the checked batch."""

    cells: list[list[str]]
    lines: list[int]
    batch: Batch


class CsvSource:
    """A CSV whose header fits a model; its rows are read once, block by block."""

    def __init__(self, file: BinaryIO, signature: Signature, classes: Sequence[object], options: CsvOptions) -> None:
        """
        Check what can be wrong with the file as a whole.

        Raises:
            InvalidInput: It is empty, not UTF-8, or its header does not name the model's columns.
        """
        _check_encoding(file)
        self._signature = signature
        self._options = options
        self._text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        self.header, self.delimiter = self._read_header()
        self._check_header(added_columns(classes))
        names = [name.strip() for name in self.header]
        self._places = [names.index(name) for name in signature.names]

    def blocks(self) -> Iterator[Block]:
        """
        The rows after the header.

        Raises:
            InvalidInput: There is none, or a cell or its quoting is beyond repair.
        """
        seen = False
        for block in blocks(self._records):
            seen = True
            yield self._block(block)
        if not seen:
            raise InvalidInput("no-rows", "the CSV has a header and no rows")

    def _read_header(self) -> tuple[list[str], str]:
        found: list[list[str]] = []
        broken: list[InvalidInput] = []
        for delimiter in DELIMITERS:
            self._text.seek(0)
            self._records = records(self._text, delimiter, max_cell=self._options.max_cell_bytes)
            try:
                first = next(self._records, None)
            except InvalidInput as error:
                # With the next delimiter its quotes may be in their places, and its cells short enough.
                broken.append(error)
                continue
            if first is None:
                raise InvalidInput("csv-columns", "the CSV is empty: its first line must name the columns")
            if _names(first.cells).issuperset(self._signature.names):
                return first.cells, delimiter
            found.append(first.cells)
        if not found:
            raise broken[0]
        raise self._misnamed(max(found, key=len))

    def _misnamed(self, header: list[str]) -> InvalidInput:
        named = _names(header)
        missing = [name for name in self._signature.names if name not in named]
        return InvalidInput(
            "csv-columns",
            f"the first line must name the model's columns, separated by comma, semicolon or tab; missing: "
            f"{', '.join(missing[:20])}",
        )

    def _check_header(self, added: Sequence[str]) -> None:
        names = [name.strip() for name in self.header]
        if len(names) > self._options.max_columns:
            raise InvalidInput("too-many-features", f"the CSV has more than {self._options.max_columns} columns")
        if len(set(names)) < len(names):
            raise InvalidInput("csv-columns", "the first line names a column twice")
        taken = [name for name in added if name in names]
        if taken:
            raise InvalidInput("csv-columns", f"the answer adds a column {taken[0]}: rename the one that was sent")

    def _block(self, block: Sequence[Record]) -> Block:
        width = len(self.header)
        cells = [record.cells for record in block]
        lengths = np.fromiter(map(len, cells), dtype=np.intp, count=len(cells))
        rows = np.flatnonzero(lengths == width)
        fitting = cells if len(rows) == len(cells) else [cells[row] for row in rows]
        faults = [
            Fault("wrong-length", f"expected {width} cells, got {length}", np.flatnonzero(lengths == length))
            for length in np.unique(lengths).tolist()
            if length != width
        ]
        columns = list(zip(*fitting, strict=True)) or [()] * width
        table = [_values(columns[place], self._options.nulls) for place in self._places]
        batch = self._signature.check(
            table, rows=rows, size=len(cells), faults=faults, max_digits=self._options.max_digits
        )
        return Block(cells, [record.line for record in block], batch)


def _check_encoding(file: BinaryIO) -> None:
    """Read through the whole file once: what is not UTF-8 shall not be found out in the middle of an answer."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    file.seek(0)
    offset = 0
    while chunk := file.read(_CHUNK):
        if b"\0" in chunk:
            raise InvalidInput("csv-encoding", f"the CSV is not UTF-8 text: byte {offset + chunk.index(0)} is NUL")
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError as error:
            raise _not_utf8(offset - pending + error.start) from error
        offset += len(chunk)
    if decoder.getstate()[0]:
        raise _not_utf8(offset - len(decoder.getstate()[0]))


def _not_utf8(offset: int) -> InvalidInput:
    return InvalidInput("csv-encoding", f"the CSV is not UTF-8 text: see byte {offset}")


def _names(header: Sequence[str]) -> set[str]:
    return {cell.strip() for cell in header}


def _values(cells: Sequence[str], nulls: frozenset[str]) -> Sequence[object]:
    """The numbers of one column, as JSON would have brought them; what is none stays a text."""
    if nulls and not nulls.isdisjoint(map(str.strip, cells)):
        return [_value(cell, nulls) for cell in cells]
    try:
        # All cells at once: a cell can only pass as one number, since "1,2" would make the list longer.
        values = from_json("[" + ",".join(cells) + "]")
    except ValueError:
        values = None
    if isinstance(values, list) and len(values) == len(cells) and {int, float}.issuperset(map(type, values)):
        return values
    return [_value(cell, nulls) for cell in cells]


def _value(cell: str, nulls: frozenset[str]) -> object:
    text = cell.strip()
    if not text or text in nulls:
        return None
    if _WHOLE.fullmatch(text):
        digits = text.lstrip("+-0")[:_LONGEST_WHOLE] or "0"
        return -int(digits) if text[0] == "-" else int(digits)
    return float(text) if NUMBER.fullmatch(text) else text
