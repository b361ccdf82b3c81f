"""Read a CSV file into a table: its encoding, its delimiter, its header and its records."""

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from operator import itemgetter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from artifacts.csv_names import DELIMITERS, NAMELESS
from train.cells import CellRules, Cells
from train.errors import TableUnreadable
from train.tables import Table

_LONGEST_NAME = 64
# So many records at a time become columns, which take less memory.
_BLOCK = 50_000


def read_csv(path: Path, *, rules: CellRules | None = None, sought: Sequence[str] = ()) -> Table:
    """
    Read a CSV file.

    Args:
        path: UTF-8 with or without a byte order mark; its first line names the columns, separated by comma,
            semicolon or tab, whichever yields the most of the sought columns.
        rules: How cells are read; the delimiter is detected here.
        sought: Names that the header should have.

    Raises:
        TableUnreadable: It is not such a file, or one of its lines has more or fewer cells than the header.
    """
    text = _decoded(_bytes(path), path.name)
    header, delimiter = _header(text, sought, path.name)
    rules = replace(rules or CellRules(), comma_separates=delimiter == ",")
    return _table(_records(text, delimiter, path.name), header, path.name, rules)


def model_name(path: Path) -> str:
    """Derive a model's name from a file's."""
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
        is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        likely = "UTF-16" if is_wide else "WINDOWS-1252"
        raise TableUnreadable(
            f"{source} is not UTF-8 text: see byte {error.start}. Save it as CSV UTF-8, or, if it is {likely}: "
            f"iconv -f {likely} -t UTF-8"
        ) from error
    if "\0" in text:
        raise TableUnreadable(f"{source} is not text: character {text.index(chr(0))} is NUL")
    if not text.strip():
        raise TableUnreadable(f"{source} is empty: its first line must name the columns")
    return text


def _records(text: str, delimiter: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each record that is not a blank line, with the line on which it begins."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise TableUnreadable(
                f"{source} cannot be read on line {line}: {error}; quote the whole cell, and double the quotes in it"
            ) from error
        if cells is None:
            return
        if cells:
            yield line, cells
        line = reader.line_num + 1


def _header(text: str, sought: Sequence[str], source: str) -> tuple[list[str], str]:
    """Return the names of the columns, and the delimiter that yields them."""
    found: list[tuple[int, bool, int, list[str], str]] = []
    failed: list[TableUnreadable] = []
    for delimiter in DELIMITERS:
        try:
            first, *rows = [cells for _, cells in islice(_records(text, delimiter, source), 2)]
        except TableUnreadable as error:
            # The quoting may be valid with another delimiter.
            failed.append(error)
            continue
        names = [cell.strip() for cell in first]
        fits = len(names) > 1 and [len(cells) for cells in rows] == [len(names)]
        found.append((len(set(sought).intersection(names)), fits, len(names), names, delimiter))
    *_, width, header, delimiter = max(found, key=itemgetter(0, 1, 2), default=(0, [], ""))
    if failed and width < 2:
        raise failed[0]
    repeated = sorted({name for name in header if name and header.count(name) > 1})
    if repeated:
        raise TableUnreadable(f"{source} has more than one column {repeated[0]!r}: rename all but one of them")
    return [name or NAMELESS.format(place=place) for place, name in enumerate(header)], delimiter


def _table(records: Iterator[tuple[int, list[str]]], header: list[str], source: str, rules: CellRules) -> Table:
    names, width = [cell.strip() for cell in next(records)[1]], len(header)
    lines, repeated = list[int](), list[int]()
    # Of each column the distinct cells, in the order of their first row.
    seen: list[dict[str, int]] = [{} for _ in header]
    blocks: list[list[NDArray[np.intp]]] = [[] for _ in header]
    while block := list(islice(records, _BLOCK)):
        rows = []
        for line, cells in block:
            if len(cells) != width:
                raise TableUnreadable(
                    f"{source} has {len(cells)} cells on line {line}, and its header has {width}: add the missing "
                    "cells, or quote cells that contain the delimiter"
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
        for name, given, places, known in zip(header, names, blocks, seen, strict=True)
        # Trailing commas leave a column without a name and without values.
        if given or any(map(str.strip, known))
    }
    return Table(source, columns, np.array(lines), rules, tuple(repeated))
