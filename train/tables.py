"""A CSV file as a frame, its cells read as the server reads them."""

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from artifacts.csv_names import NAMELESS
from artifacts.number_formats import PLAIN, NumberFormat
from train.cells import CellRules, Cells, Reading, reading_of
from train.errors import ColumnMissing, TableUnreadable
from train.profile import CATEGORY_SHARE, MOST_CATEGORIES

Kind: TypeAlias = Literal["number", "boolean", "category", "text"]

DELIMITERS = ",;\t"
_LONGEST_NAME = 64
# Its square, and the sum of many such, is still a float.
_LARGEST = 1e100
# So many records at a time become columns, which take less memory.
_BLOCK = 50_000


@dataclass(frozen=True)
class Table:
    """
    The rows of one CSV file.

    Attributes:
        source: The file's name.
        columns: The cells of each column.
        lines: Shape (rows,), the line on which each row begins.
        rules: How cells are read.
        repeated: The lines that repeat the header and are no rows.
    """

    source: str
    columns: Mapping[str, Cells]
    lines: NDArray[np.intp]
    rules: CellRules
    repeated: tuple[int, ...] = ()

    def demand(self, *names: str) -> None:
        """
        Hold column names against the header.

        Raises:
            ColumnMissing: Some of them are not there.
        """
        missing = [name for name in names if name not in self.columns]
        if missing:
            raise ColumnMissing(*missing, columns=list(self.columns), source=self.source)

    @property
    def index(self) -> pd.RangeIndex:
        """The rows, by their number."""
        return pd.RangeIndex(len(self.lines))

    def cells(self, name: str, rows: "pd.Index[Any] | None" = None) -> Cells:
        """The cells of a column in these rows, or in all of them."""
        return self.columns[name] if rows is None else self.columns[name][rows.to_numpy(dtype=np.intp)]

    def reading(self, name: str, rows: "pd.Index[Any] | None" = None) -> Reading:
        """How the cells of a column are read, judged by these rows, or by all of them."""
        return reading_of(self.cells(name, rows), self.rules)

    def values(self, name: str, reading: Reading, rows: "pd.Index[Any] | None" = None) -> "pd.Series[Any]":
        """
        The values of a column in these rows, or in all of them.

        Raises:
            TableUnreadable: A number is too large to be squared.
        """
        values = reading.values(self.cells(name, rows)).rename(name)
        values.index = self.index if rows is None else rows
        largest = values.abs().max() if values.dtype.kind == "f" else 0
        if largest > _LARGEST:
            raise TableUnreadable(
                f"{self.source} has {largest:g} in column {name!r}, and no model learns from numbers beyond "
                f"{_LARGEST:g}: correct it, or leave it empty"
            )
        return values

    def lines_of(self, name: str, cells: Collection[str]) -> list[int]:
        """The lines of the rows with these cells in a column, blanks around them apart."""
        wanted = [cell.strip() in cells for cell in self.columns[name].different]
        found: list[int] = self.lines[np.array(wanted)[self.columns[name].places]].tolist()
        return found

    @cached_property
    def readings(self) -> dict[str, Reading]:
        """How each column is read, judged by all rows."""
        return {name: self.reading(name) for name in self.columns}

    @cached_property
    def frame(self) -> pd.DataFrame:
        """All columns as values; a null is NaN, and booleans with nulls are objects."""
        return pd.DataFrame({name: self.values(name, reading) for name, reading in self.readings.items()})

    @property
    def nulls(self) -> tuple[str, ...]:
        """Which cells of the frame were read as null, the empty one apart."""
        return nulls_of(self, self.readings)

    @property
    def number_formats(self) -> dict[str, NumberFormat]:
        """How the numbers of the frame are written, where that is not as JSON does."""
        return formats_of(self.readings)


def nulls_of(table: Table, readings: Mapping[str, Reading]) -> tuple[str, ...]:
    """Which cells of these columns are read as null, the empty one apart."""
    found = [reading.found_nulls(table.cells(name)) for name, reading in readings.items()]
    return tuple(sorted(set().union(*found)))


def formats_of(readings: Mapping[str, Reading]) -> dict[str, NumberFormat]:
    """The number formats that differ from JSON's, by column."""
    return {
        name: reading.numbers
        for name, reading in readings.items()
        if reading.kind == "number" and reading.numbers != PLAIN
    }


def read(path: Path, *, rules: CellRules | None = None, sought: Sequence[str] = ()) -> Table:
    """
    Read a CSV file.

    Args:
        path: UTF-8 with or without a byte order mark; its first line names the columns, separated by comma,
            semicolon or tab, whichever yields the most of the columns that are sought.
        rules: How cells are read; the delimiter is found here.
        sought: Names that the header should have.

    Raises:
        TableUnreadable: It is no such file, or one of its lines has more or fewer cells than the header.
    """
    text = _decoded(_bytes(path), path.name)
    header, delimiter = _header(text, sought, path.name)
    rules = replace(rules or CellRules(), comma_separates=delimiter == ",")
    return _table(_records(text, delimiter, path.name), header, path.name, rules)


def kind_of(values: "pd.Series[Any]") -> Kind:
    """What one column holds: a few texts, each of them in several rows, are categories."""
    if values.dtype.kind in "iuf":
        return "number"
    if values.dtype in (bool, object):
        return "boolean"
    known = values.dropna()
    return "category" if known.nunique() <= min(MOST_CATEGORIES, CATEGORY_SHARE * len(known)) else "text"


def model_name(path: Path) -> str:
    """A model's name, made of a file's."""
    letters = unicodedata.normalize("NFKD", path.stem.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9._-]+", "-", letters).strip("._-")[:_LONGEST_NAME].strip("._-") or "model"


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise TableUnreadable(f"there is no file {path}") from error
    except OSError as error:
        raise TableUnreadable(f"{path} cannot be read: {error.strerror}") from error


def _decoded(content: bytes, source: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        known = "UTF-16" if wide else "WINDOWS-1252"
        raise TableUnreadable(
            f"{source} is not UTF-8 text: see byte {error.start}. Save it as CSV UTF-8, or, if it is {known}: "
            f"iconv -f {known} -t UTF-8"
        ) from error
    if "\0" in text:
        raise TableUnreadable(f"{source} is no text: character {text.index(chr(0))} is NUL")
    if not text.strip():
        raise TableUnreadable(f"{source} is empty: its first line must name the columns")
    return text


def _records(text: str, delimiter: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """Each record that is not a blank line, and the line on which it begins."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise TableUnreadable(
                f"{source} cannot be read on line {line}: {error}; quote a whole cell, and double the quotes within it"
            ) from error
        if cells is None:
            return
        if cells:
            yield line, cells
        line = reader.line_num + 1


def _header(text: str, sought: Sequence[str], source: str) -> tuple[list[str], str]:
    """The names of the columns, and the delimiter that yields them."""
    found: list[tuple[int, bool, int, list[str], str]] = []
    broken: list[TableUnreadable] = []
    for delimiter in DELIMITERS:
        try:
            first, *rows = [cells for _, cells in islice(_records(text, delimiter, source), 2)]
        except TableUnreadable as error:
            # With another delimiter the quotes may be in their places.
            broken.append(error)
            continue
        names = [cell.strip() for cell in first]
        fits = len(names) > 1 and [len(cells) for cells in rows] == [len(names)]
        found.append((len(set(sought).intersection(names)), fits, len(names), names, delimiter))
    *_, width, header, delimiter = max(found, key=itemgetter(0, 1, 2), default=(0, [], ""))
    if broken and width < 2:
        raise broken[0]
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise TableUnreadable(f"{source} has more than one column {twice[0]!r}: rename all but one of them")
    return [name or NAMELESS.format(place=place) for place, name in enumerate(header)], delimiter


def _table(records: Iterator[tuple[int, list[str]]], header: list[str], source: str, rules: CellRules) -> Table:
    names, width = [cell.strip() for cell in next(records)[1]], len(header)
    lines, repeated = list[int](), list[int]()
    # Of each column, the different cells in the order in which they come.
    seen: list[dict[str, int]] = [{} for _ in header]
    blocks: list[list[NDArray[np.intp]]] = [[] for _ in header]
    while block := list(islice(records, _BLOCK)):
        rows = []
        for line, cells in block:
            if len(cells) != width:
                raise TableUnreadable(
                    f"{source} has {len(cells)} cells on line {line}, and its header has {width}: fill up the line, or "
                    "quote cells that hold what separates them"
                )
            is_header = [cell.strip() for cell in cells] == names
            (repeated if is_header else lines).append(line)
            rows += [] if is_header else [cells]
        for known, places, column in zip(seen, blocks, zip(*rows, strict=True), strict=False):
            places.append(np.array([known.setdefault(cell, len(known)) for cell in column], dtype=np.intp))
    if not lines:
        raise TableUnreadable(f"{source} has a header and no rows")
    columns = {
        name: Cells(np.concatenate(places), tuple(known))
        for name, stated, places, known in zip(header, names, blocks, seen, strict=True)
        # A column without a name and without values is what trailing commas leave.
        if stated or any(map(str.strip, known))
    }
    return Table(source, columns, np.array(lines), rules, tuple(repeated))
