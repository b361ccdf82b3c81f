"""A CSV file as a frame, its cells read as the server will read them."""

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from train.errors import ColumnMissing, TableUnreadable
from train.profile import CATEGORY_SHARE, MOST_CATEGORIES

Kind: TypeAlias = Literal["number", "boolean", "category", "text"]

DELIMITERS = ",;\t"
# What stands in the place of an empty cell of the header.
NAMELESS = "Unnamed: {place}"
_LONGEST_NAME = 64
# Its square, and the sum of many such, is still a float.
_LARGEST = 1e100


@dataclass(frozen=True, slots=True)
class Table:
    """
    The rows of one CSV file.

    Attributes:
        source: The file's name.
        frame: Numbers, booleans and texts; a null is NaN, and booleans with nulls are objects.
        nulls: Which cells were read as null, the empty one apart.
    """

    source: str
    frame: pd.DataFrame
    nulls: tuple[str, ...] = ()

    def demand(self, *names: str) -> None:
        """
        Hold column names against the header.

        Raises:
            ColumnMissing: Some of them are not there.
        """
        missing = [name for name in names if name not in self.frame.columns]
        if missing:
            raise ColumnMissing(*missing, columns=self.frame.columns.tolist(), source=self.source)


def read(path: Path, *, nulls: Sequence[str] | None = None, sought: Sequence[str] = ()) -> Table:
    """
    Read a CSV file.

    Args:
        path: UTF-8 with or without a byte order mark; its first line names the columns, separated by comma,
            semicolon or tab, whichever yields the most of the columns that are sought.
        nulls: Cells that mean null besides the empty one; None are those that pandas takes for null.
        sought: Names that the header should have.

    Raises:
        TableUnreadable: It is no such file, or one of its lines has more or fewer cells than the header.
    """
    text = _decoded(_bytes(path), path.name)
    header, delimiter = _header(text, sought, path.name)
    _check_lines(text, delimiter, len(header), path.name)
    told = {} if nulls is None else {"keep_default_na": False, "na_values": ["", *nulls]}
    frame = _parsed(text, header, delimiter, **told)
    raw = _parsed(text, header, delimiter, dtype="str", na_filter=False)
    gone = {cell for name in header for cell in raw[name][frame[name].isna()].unique()}
    return Table(path.name, _without_oddities(frame, path.name), tuple(sorted(gone - {""})))


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
            raise TableUnreadable(f"{source} cannot be read on line {line}: {error}") from error
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


def _check_lines(text: str, delimiter: str, width: int, source: str) -> None:
    rows = -1
    for line, cells in _records(text, delimiter, source):
        if len(cells) != width:
            raise TableUnreadable(f"{source} has {len(cells)} cells on line {line}, and its header has {width}")
        rows += 1
    if not rows:
        raise TableUnreadable(f"{source} has a header and no rows")


def _parsed(text: str, header: list[str], delimiter: str, **more: Any) -> pd.DataFrame:
    frame: pd.DataFrame = pd.read_csv(
        io.StringIO(text, newline=""), sep=delimiter, names=header, header=0, index_col=False, low_memory=False, **more
    )
    return frame


def _without_oddities(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    """Whole numbers that no dtype of integers holds become floats; what cannot be squared is refused."""
    for name in frame:
        if frame[name].dtype == object and {int, np.int64}.intersection(map(type, frame[name].dropna())):
            frame[name] = frame[name].astype(float)
        if frame[name].dtype.kind != "f":
            continue
        largest = frame[name].abs().max()
        if largest > _LARGEST:
            raise TableUnreadable(
                f"{source} has {largest:g} in column {name!r}, and no model learns from numbers beyond {_LARGEST:g}: "
                "correct it, or leave it empty"
            )
    return frame
