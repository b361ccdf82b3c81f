"""CSV in: checked as a whole first, then read once, block by block."""

import codecs
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import BinaryIO

import numpy as np
from pydantic_core import to_json

from artifacts.csv_names import added_columns
from artifacts.signature import Batch, Signature
from artifacts.values import Fault
from serve.errors import InvalidInput
from serve.tabular.cells import reader
from serve.tabular.csv_records import Record, blocks, records
from serve.tabular.magic import HEAD_BYTES, refuse_foreign
from serve.tabular.options import DELIMITERS, CsvOptions

_CHUNK = 2**20
# What a row of the answer counts in its block: this for each probability, and a part of the names, which NDJSON repeats
# in every line and CSV does not. It is the same for both, so that they ask the model the same and say the same.
_PROBABILITY_CHARACTERS = 24
_NAMES_SHARE = 4
# So much is told of what is wrong with one row; further mistakes are counted.
_ERROR_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class Block:
    """
    Some rows in their order.

    Attributes:
        cells: A row each, as they came; where there were too few they are filled up, surplus ones are cut.
        lines: The physical line that each row began on.
        batch: The rows, checked.
    """

    cells: list[list[str]]
    lines: list[int]
    batch: Batch

    def errors(self, faults: Sequence[Fault]) -> list[str]:
        """Shape (rows,): what is wrong with each row, or an empty text; `faults` are all that were found."""
        found: dict[int, list[str]] = {}
        for fault in faults:
            message = f"{fault.column}: {fault.message}" if fault.column else fault.message
            for row in fault.rows.tolist():
                found.setdefault(row, []).append(message)
        return [f"line {line}: {_joined(found[row])}" if row in found else "" for row, line in enumerate(self.lines)]


class CsvSource:
    """A CSV whose header fits a model; its rows are read once, block by block."""

    def __init__(self, file: BinaryIO, signature: Signature, classes: Sequence[object], options: CsvOptions) -> None:
        """
        Check what can be wrong with the file as a whole.

        Raises:
            InvalidInput: It is no text at all, empty, not UTF-8, or its header does not name the model's columns.
        """
        file.seek(0)
        refuse_foreign(file.read(HEAD_BYTES))
        _check_encoding(file)
        self._signature = signature
        self._options = options
        self._text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        self.header, self.delimiter = self._read_header()
        added = added_columns(classes)
        self._check_header(added)
        repeated = len(to_json(dict.fromkeys([*self.header, *added], "")))
        self._answered = min(repeated, options.max_cell_bytes) // _NAMES_SHARE + len(classes) * _PROBABILITY_CHARACTERS
        names = [name.strip() for name in self.header]
        self._places = [names.index(name) for name in signature.names]
        nulls = options.nulls.union(signature.csv_nulls)
        self._readers = [reader(column, nulls) for column in signature.columns]

    def blocks(self) -> Iterator[Block]:
        """
        The rows after the header; what was handed out is no longer held here.

        Raises:
            InvalidInput: There is none, or a cell or its quoting is beyond repair.
        """
        first = next(self._records, None)
        if first is None:
            raise InvalidInput("no-rows", "the CSV has a header and no rows")
        return map(self._block, blocks(chain([first], self._records), answered=self._answered))

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
        most = max(self._options.max_columns, len(self._signature.names))
        if len(names) > most:
            raise InvalidInput("too-many-features", f"the CSV has more than {most} columns")
        if len(set(names)) < len(names):
            raise InvalidInput("csv-columns", "the first line names a column twice")
        taken = [name for name in added if name.strip() in names]
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
        table = [read(columns[place]) for read, place in zip(self._readers, self._places, strict=True)]
        batch = self._signature.check(
            table, rows=rows, size=len(cells), faults=faults, max_digits=self._options.max_digits
        )
        for row in np.flatnonzero(lengths != width).tolist():
            cells[row] = [*cells[row][:width], *[""] * (width - len(cells[row]))]
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


def _joined(messages: list[str]) -> str:
    told = max(1, sum(end <= _ERROR_CHARACTERS for end in accumulate(map(len, messages))))
    rest = len(messages) - told
    return "; ".join([*messages[:told], f"and {rest} more"] if rest else messages)


def _names(header: Sequence[str]) -> set[str]:
    return {cell.strip() for cell in header}
