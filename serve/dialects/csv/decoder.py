"""CSV in: checked as a whole first, then read once, block by block."""

import io
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic_core import to_json

from artifacts.csv_names import added_columns
from artifacts.kinds import kind_of
from artifacts.signature import Batch, Signature, concatenated
from artifacts.values import Fault, builder
from serve.dialects.blocks import Block
from serve.dialects.csv.casts import ColumnReader, are_few, cast_of
from serve.dialects.csv.encoding import MARK, check_text
from serve.dialects.csv.header import check_names, delimiters, misnamed, required_names
from serve.dialects.csv.lines import Lines, block_rows, take
from serve.dialects.csv.options import FORMULA_SIGNS, CsvOptions
from serve.dialects.csv.pass_through import Cutter, PassedRows
from serve.dialects.csv.records import Record, Records, next_block
from serve.errors import InvalidInput

# The size of a row of the answer, by which blocks are measured: this for each probability, and a part of the names,
# which NDJSON repeats in every line and CSV does not. It is the same for both, so that they predict the same blocks.
_PROBABILITY_CHARACTERS = 24
_NAMES_SHARE = 4
# Rows that are read one by one take more memory: a block of them is so much smaller.
_RECORDS_PART = 2


class CsvDecoder:
    """Reads a CSV whose header fits a model, once and block by block."""

    def __init__(self, file: BinaryIO, signature: Signature, classes: Sequence[object], options: CsvOptions) -> None:
        """
        Check what can be wrong with the file as a whole.

        Args:
            file: The whole CSV.
            signature: The columns of the model.
            classes: The labels that the answer has a probability for.
            options: The limits of a CSV.

        Raises:
            InvalidInput: It is not text, empty, not UTF-8, or its header does not name the model's columns.
        """
        # Arrow's own allocators keep some 20 MiB more for later, and are hardly faster with blocks of this size.
        pa.set_memory_pool(pa.system_memory_pool())
        check_text(file)
        self._file, self._signature, self._options = file, signature, options
        self._has_rows = False
        self.header, self.delimiter = self._read_header()
        added = added_columns(classes)
        check_names(self.header, added, max_columns=max(options.max_columns, len(signature.names)))
        repeated = len(to_json(dict.fromkeys([*self.header, *added], "")))
        self._answered = min(repeated, options.max_cell_bytes) // _NAMES_SHARE + len(classes) * _PROBABILITY_CHARACTERS
        names = [name.strip() for name in self.header]
        sent = [column for column in signature.columns if column.name in names]
        # The model ignores these, so that they may be missing.
        self._absent = [(place, column) for place, column in enumerate(signature.columns) if column.name not in names]
        self._places = [names.index(column.name) for column in sent]
        nulls = frozenset(signature.csv_nulls)
        self._readers = [kind_of(column).cell_reader(nulls) for column in sent]
        casts = [cast_of(column, nulls, options.max_digits) for column in sent]
        self._cutter = Cutter(len(names), self.delimiter)
        self._columns = ColumnReader(self._cutter, dict(zip(self._places, casts, strict=True)))

    def blocks(self) -> Iterator[Block]:
        """
        Return the rows after the header; a block that was returned is no longer referenced here.

        Raises:
            InvalidInput: There is no row, or a cell is too large or its quoting broken.
        """
        # Not a generator: its frame would keep a block while its answer is being sent.
        return iter(self._next, None)

    def _read_header(self) -> tuple[list[str], str]:
        candidates: list[list[str]] = []
        errors: list[InvalidInput] = []
        self._file.seek(0)
        begin = len(MARK) if self._file.read(len(MARK)) == MARK else 0
        for delimiter in delimiters(self._signature):
            self._offset, self._line = begin, 1
            try:
                first = self._records(delimiter, rows=1)
            except InvalidInput as error:
                # With the next delimiter its quotes may be valid, and its cells short enough.
                errors.append(error)
                continue
            if not first:
                raise InvalidInput("csv-columns", "the CSV is empty: its first line must name the columns")
            if {cell.strip() for cell in first[0].cells}.issuperset(required_names(self._signature)):
                return first[0].cells, delimiter
            candidates.append(first[0].cells)
        if not candidates:
            raise errors[0]
        raise misnamed(self._file, max(candidates, key=len), self._signature)

    def _next(self) -> Block | None:
        block = self._line_block(self._from_lines)
        block = block or self._line_block(self._one_by_one, part=_RECORDS_PART)
        block = block or self._from_records()
        if not block and not self._has_rows:
            raise InvalidInput("no-rows", "the CSV has a header and no rows")
        self._has_rows = True
        return block

    def _line_block(self, read: Callable[[Lines], Block | None], *, part: int = 1) -> Block | None:
        """Return the next lines as a block; None if they are not one record each."""
        lines = take(
            self._file,
            self._offset,
            self._line,
            delimiter=self.delimiter,
            max_bytes=self._options.max_cell_bytes,
            max_rows=block_rows(self._answered, part=part),
        )
        block = read(lines) if lines else None
        if lines and block:
            self._offset += lines.taken
            self._line += lines.breaks
        return block

    def _from_lines(self, lines: Lines) -> Block | None:
        """Return lines most of which are read at once; None if these are few."""
        fast = lines.widths(self.delimiter) == len(self.header)
        if lines.has_quotes or self._options.escape_all:
            fast &= ~lines.matching(self._rewritten)
        if are_few(fast):
            return None
        kept = lines if fast.all() else lines.kept(fast)
        columns = self._columns.read(kept.csv)
        if not columns:
            return None
        arrays, good = columns
        if not good.all():
            fast[fast] = good
            if are_few(fast):
                return None
            kept, arrays = kept.kept(good), [array[good] for array in arrays]
        for place, column in self._absent:
            arrays.insert(place, builder(column)([column.example] * len(kept.numbers)))
        batch = Batch(self._signature.table(arrays), fast, ())
        cells = [] if fast.all() else lines.kept(~fast).cells(self.delimiter)
        if cells is None:
            return None
        if cells:
            batch = _combined(batch, self._checked(cells, ~fast))
        return Block(batch, lines.numbers, PassedRows(cells, self._cutter, fast, kept))

    def _one_by_one(self, lines: Lines) -> Block | None:
        """Return lines of any kind, if each of them is a record."""
        cells = lines.cells(self.delimiter)
        return self._block(cells, lines.numbers) if cells else None

    def _from_records(self) -> Block | None:
        records = self._records(self.delimiter)
        lines = np.array([record.line for record in records], dtype=np.intp)
        return self._block([record.cells for record in records], lines) if records else None

    def _block(self, cells: list[list[str]], lines: NDArray[np.intp]) -> Block:
        every = np.ones(len(cells), dtype=bool)
        return Block(self._checked(cells, every), lines, PassedRows(cells, self._cutter, ~every))

    @property
    def _rewritten(self) -> str:
        """What lines match that are not written as they were sent."""
        if not self._options.escape_all:
            return '"'
        # A line break never begins a line's cell, nor does a tab that separates cells.
        blank = "" if self.delimiter == "\t" else "\\t"
        return f'"|[\\n{self.delimiter}][{blank}{re.escape(FORMULA_SIGNS)}]'

    def _records(self, delimiter: str, *, rows: int | None = None) -> list[Record]:
        """Return the next records: a block of them, or so many."""
        self._file.seek(self._offset)
        text = io.TextIOWrapper(self._file, encoding="utf-8", newline="")
        # In the first block, before anything is answered, a row that is too large fails the request.
        records = Records(
            text, delimiter, max_cell=self._options.max_cell_bytes, line=self._line, keeps_large=self._has_rows
        )
        try:
            read = list(islice(records, rows)) if rows else next_block(records, answered=self._answered)
        finally:
            text.detach()
        self._offset += records.taken
        self._line = records.line
        return read

    def _checked(self, cells: list[list[str]], wanted: NDArray[np.bool_]) -> Batch:
        """
        Check records, and fill up or cut those of another length.

        Args:
            cells: The cells of each record.
            wanted: Shape (rows of the block,), which of them these are.
        """
        width, rows = len(self.header), np.flatnonzero(wanted)
        lengths = np.fromiter(map(len, cells), dtype=np.intp, count=len(cells))
        fits = lengths == width
        fitting = cells if fits.all() else [cells[row] for row in np.flatnonzero(fits)]
        others = [length for length in np.unique(lengths).tolist() if length != width]
        faults = [_wrong_length(length, width, rows[lengths == length]) for length in others]
        columns = list(zip(*fitting, strict=True)) or [()] * width
        table = [read(columns[place]) for read, place in zip(self._readers, self._places, strict=True)]
        for place, column in self._absent:
            table.insert(place, [column.example] * len(fitting))
        for row in np.flatnonzero(~fits).tolist():
            cells[row] = [*cells[row][:width], *[""] * (width - len(cells[row]))]
        return self._signature.check(
            table, rows=rows[fits], size=len(wanted), faults=faults, max_digits=self._options.max_digits
        )


def _combined(fast: Batch, others: Batch) -> Batch:
    """Return the rows of two batches of one block in their order; `fast` has those that its `good` names."""
    places = np.concatenate([np.flatnonzero(fast.good), np.flatnonzero(others.good & ~fast.good)])
    return Batch(concatenated([fast.data, others.data])[np.argsort(places)], others.good, others.faults)


def _wrong_length(length: int, width: int, rows: NDArray[np.intp]) -> Fault:
    if not length:
        return Fault("csv-cell-too-large", "the row or one of its cells is too large", rows)
    return Fault("wrong-length", f"expected {width} cells, got {length}", rows)
