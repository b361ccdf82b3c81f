"""CSV in: checked as a whole first, then read once, block by block."""

import codecs
import io
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from itertools import islice
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydantic_core import to_json

from artifacts.csv_names import added_columns, distinct_names
from artifacts.errors import printable
from artifacts.number_formats import number_of
from artifacts.signature import Batch, Signature
from artifacts.values import Fault, builder
from serve.dialects.csv.blocks import Block, PlainBlock, RecordBlock
from serve.dialects.csv.cells import reader
from serve.dialects.csv.csv_lines import LineLimits, Lines, take
from serve.dialects.csv.csv_records import Record, Records, blocks
from serve.dialects.csv.magic import HEAD_BYTES, refuse_foreign
from serve.dialects.csv.options import DELIMITERS, FORMULA_SIGNS, CsvOptions
from serve.dialects.csv.plain_cells import Cutter, PlainCells, are_few, cast_of
from serve.errors import InvalidInput

_CHUNK = 2**20
_MARK = codecs.BOM_UTF8
# What a row of the answer counts in its block: this for each probability, and a part of the names, which NDJSON repeats
# in every line and CSV does not. It is the same for both, so that they ask the model the same and say the same.
_PROBABILITY_CHARACTERS = 24
_NAMES_SHARE = 4
# What is told of odd rows takes more memory: so much smaller is a block of them.
_ODD_PART = 2
_MOST_NAMED = 20
_MOST_COMPARED = 100
_LONGEST_NAME = 64


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
        self._required = [column.name for column in signature.columns if column.required]
        self._options = options
        self._file = file
        self._has_rows = False
        self.header, self.delimiter = self._read_header()
        added = added_columns(classes)
        self._check_header(added)
        repeated = len(to_json(dict.fromkeys([*self.header, *added], "")))
        self._answered = min(repeated, options.max_cell_bytes) // _NAMES_SHARE + len(classes) * _PROBABILITY_CHARACTERS
        self._limits = LineLimits(options.max_cell_bytes, self._answered, self.delimiter)
        self._odd_limits = replace(self._limits, part=_ODD_PART)
        names = [name.strip() for name in self.header]
        sent = [column for column in signature.columns if column.required or column.name in names]
        self._places = [names.index(column.name) for column in sent]
        nulls = frozenset(signature.csv_nulls)
        self._readers = [reader(column, nulls) for column in sent]
        casts = [cast_of(column, read, nulls, options) for column, read in zip(sent, self._readers, strict=True)]
        # What the model ignores may be left out of the file.
        self._absent = [(place, column) for place, column in enumerate(signature.columns) if column.name not in names]
        self._cells = PlainCells(Cutter(len(names), self.delimiter), self._places, casts)

    def blocks(self) -> Iterator[Block]:
        """
        The rows after the header; what was handed out is no longer held here.

        Raises:
            InvalidInput: There is none, or a cell or its quoting is beyond repair.
        """
        # Not a generator: its frame would hold on to a block for as long as the answer to it is on its way out.
        return iter(self._next, None)

    def _read_header(self) -> tuple[list[str], str]:
        found: list[list[str]] = []
        broken: list[InvalidInput] = []
        self._file.seek(0)
        begin = len(_MARK) if self._file.read(len(_MARK)) == _MARK else 0
        for delimiter in self._delimiters():
            self._offset, self._line = begin, 1
            try:
                first = self._records(delimiter, rows=1)
            except InvalidInput as error:
                # With the next delimiter its quotes may be in their places, and its cells short enough.
                broken.append(error)
                continue
            if not first:
                raise InvalidInput("csv-columns", "the CSV is empty: its first line must name the columns")
            if _names(first[0].cells).keys() >= set(self._required):
                return first[0].cells, delimiter
            found.append(first[0].cells)
        if not found:
            raise broken[0]
        raise self._misnamed(max(found, key=len))

    def _delimiters(self) -> str:
        """Those that may separate cells, the likeliest first: a comma inside numbers is seldom a delimiter too."""
        formats = [column.numbers for column in self._signature.columns if column.numbers]
        has_comma = any(numbers.decimal == "," for numbers in formats)
        return "".join(sorted(DELIMITERS, key=",".__eq__)) if has_comma else DELIMITERS

    def _misnamed(self, header: list[str]) -> InvalidInput:
        named = _names(header)
        if self._is_row(named):
            more = ", ..." if len(self._required) > _MOST_NAMED else ""
            return InvalidInput(
                "csv-columns",
                "the first line has values: it must be the header, which names the columns; expected: "
                f"{', '.join(self._required[:_MOST_NAMED])}{more}",
            )
        missing = [name for name in self._required if name not in named][:_MOST_NAMED]
        return InvalidInput(
            "csv-columns",
            f"the first line must name the model's columns, separated by comma, semicolon or tab; missing: "
            f"{', '.join(missing)}{self._advice(missing, named)}",
        )

    def _is_row(self, named: Collection[str]) -> bool:
        """Whether the first line looks like a row: it names no column, and has a number or a known category."""
        if not set(self._signature.names).isdisjoint(named):
            return False
        known = {category.value for column in self._signature.columns for category in column.categories}
        return any(number_of(cell) is not None or cell in known for cell in named)

    def _advice(self, missing: Sequence[str], named: Collection[str]) -> str:
        """What may have happened to a header that lacks some names."""
        self._file.seek(0)
        if not re.search(b"[\r\n]", self._file.read(_CHUNK)):
            return "; the CSV is a single line: curl -d removes line breaks, send it with --data-binary"
        # A few of them: to compare every pair of many long names would take seconds.
        others = [name for name in named if name not in self._signature.names]
        spelled = {_plain(name): name[:_LONGEST_NAME] for name in others[:_MOST_COMPARED]}
        near = {name: get_close_matches(_plain(name), spelled, n=1) for name in missing}
        meant = [f"{printable(spelled[found[0]])} to {name}" for name, found in near.items() if found]
        return f"; rename {', '.join(meant)}" if meant else ""

    def _check_header(self, added: Sequence[str]) -> None:
        names = [name.strip() for name in distinct_names(self.header)]
        most = max(self._options.max_columns, len(self._signature.names))
        if len(names) > most:
            raise InvalidInput("too-many-features", f"the CSV has more than {most} columns")
        if len(set(names)) < len(names):
            raise InvalidInput("csv-columns", "the first line names a column twice")
        taken = [name for name in added if name.strip() in names]
        if taken:
            raise InvalidInput("csv-columns", f"the answer adds a column {taken[0]}: rename the one that was sent")

    def _next(self) -> Block | None:
        found = self._line_block(self._plain_block, self._limits)
        found = found or self._line_block(self._odd_block, self._odd_limits) or self._record_block()
        if not found and not self._has_rows:
            raise InvalidInput("no-rows", "the CSV has a header and no rows")
        self._has_rows = True
        return found

    def _line_block(self, read: Callable[[Lines], Block | None], limits: LineLimits) -> Block | None:
        """The next lines as a block; None if they need a closer look."""
        lines = take(self._file, self._offset, self._line, limits)
        block = read(lines) if lines else None
        if lines and block:
            self._offset += lines.taken
            self._line += lines.breaks
        return block

    def _plain_block(self, lines: Lines) -> PlainBlock | None:
        """Lines of which most are rows that are plainly right."""
        plain = (lines.widths(self.delimiter) == len(self.header)) & ~self._odd(lines)
        if are_few(plain):
            return None
        kept = lines if plain.all() else lines.kept(plain)
        read = self._cells.read(kept.csv)
        if not read:
            return None
        arrays, good = read
        if not good.all():
            plain[plain] = good
            if are_few(plain):
                return None
            kept, arrays = kept.kept(good), [array[good] for array in arrays]
        for place, column in self._absent:
            arrays.insert(place, builder(column)([column.example] * len(kept.numbers)))
        batch = Batch(self._signature.table(arrays), np.ones(len(kept.numbers), dtype=bool), ())
        if plain.all():
            return PlainBlock(kept, batch, None, plain, self.delimiter)
        odd = self._odd_block(lines.kept(~plain))
        return PlainBlock(kept, batch, odd, plain, self.delimiter) if odd else None

    def _odd_block(self, lines: Lines) -> RecordBlock | None:
        """Lines of any kind, if each of them is a record by itself."""
        cells = lines.cells(self.delimiter)
        return self._checked(cells, lines.numbers.tolist()) if cells else None

    def _odd(self, lines: Lines) -> NDArray[np.bool_]:
        """Shape (lines,): which of them come back otherwise than they came."""
        signs = '"'
        if not lines.has_quotes and not self._options.escape_all:
            return np.zeros(len(lines.numbers), dtype=bool)
        if self._options.escape_all:
            # A line break never begins a line's cell, nor does a tab that separates cells.
            blank = "" if self.delimiter == "\t" else "\\t"
            signs += f"|[\\n{self.delimiter}][{blank}{re.escape(FORMULA_SIGNS)}]"
        return lines.matching(signs)

    def _record_block(self) -> RecordBlock | None:
        records = self._records(self.delimiter)
        return (
            self._checked([record.cells for record in records], [record.line for record in records])
            if records
            else None
        )

    def _records(self, delimiter: str, *, rows: int | None = None) -> list[Record]:
        """The next records, one by one: a block of them, or so many."""
        self._file.seek(self._offset)
        text = io.TextIOWrapper(self._file, encoding="utf-8", newline="")
        # In the first block, before anything is answered, a row that is too large gets a status.
        records = Records(
            text, delimiter, max_cell=self._options.max_cell_bytes, line=self._line, keeps_large=self._has_rows
        )
        try:
            found = list(islice(records, rows)) if rows else next(blocks(records, answered=self._answered), [])
        finally:
            text.detach()
        self._offset += records.taken
        self._line = records.line
        return found

    def _checked(self, cells: list[list[str]], lines: list[int]) -> RecordBlock:
        width = len(self.header)
        lengths = np.fromiter(map(len, cells), dtype=np.intp, count=len(cells))
        rows = np.flatnonzero(lengths == width)
        fitting = cells if len(rows) == len(cells) else [cells[row] for row in rows]
        faults = [
            _wrong_length(length, width, np.flatnonzero(lengths == length))
            for length in np.unique(lengths).tolist()
            if length != width
        ]
        columns = list(zip(*fitting, strict=True)) or [()] * width
        table = [read(columns[place]) for read, place in zip(self._readers, self._places, strict=True)]
        for place, column in self._absent:
            table.insert(place, [column.example] * len(fitting))
        batch = self._signature.check(
            table, rows=rows, size=len(cells), faults=faults, max_digits=self._options.max_digits
        )
        filling = [""] * width
        for row in np.flatnonzero(lengths != width).tolist():
            cells[row] = [*cells[row][:width], *filling[len(cells[row]) :]]
        return RecordBlock(cells, lines, batch)


def _wrong_length(length: int, width: int, rows: NDArray[np.intp]) -> Fault:
    if not length:
        return Fault("csv-cell-too-large", "the row or one of its cells is too large", rows)
    return Fault("wrong-length", f"expected {width} cells, got {length}", rows)


def _check_encoding(file: BinaryIO) -> None:
    """Read through the whole file once: what is not UTF-8 shall not be found out in the middle of an answer."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    file.seek(0)
    offset = 0
    while chunk := file.read(_CHUNK):
        if b"\0" in chunk:
            is_wide = not offset and chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            raise (
                _not_utf8(offset + chunk.index(0), "UTF-16")
                if is_wide
                else InvalidInput("csv-encoding", f"the CSV is not UTF-8 text: byte {offset + chunk.index(0)} is NUL")
            )
        pending = len(decoder.getstate()[0])
        if not pending and chunk.isascii():
            offset += len(chunk)
            continue
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError as error:
            raise _not_utf8(offset - pending + error.start) from error
        offset += len(chunk)
    if decoder.getstate()[0]:
        raise _not_utf8(offset - len(decoder.getstate()[0]))


def _not_utf8(offset: int, known: str = "WINDOWS-1252") -> InvalidInput:
    return InvalidInput(
        "csv-encoding",
        f"the CSV is not UTF-8 text: see byte {offset}. Save it as CSV UTF-8, or, if it is {known}: "
        f"iconv -f {known} -t UTF-8",
    )


def _plain(name: str) -> str:
    """A column's name as names are compared that may be spelled otherwise."""
    return re.sub(r"[\W_]", "", name.casefold())[:_LONGEST_NAME]


def _names(header: Sequence[str]) -> dict[str, None]:
    """The names of a header, in their order."""
    return dict.fromkeys(cell.strip() for cell in header)
