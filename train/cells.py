"""The cells of one CSV column: numbers, booleans or texts, and how its numbers are written."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from artifacts.number_formats import NUMBER, PLAIN, WHOLE, Decimal, NumberFormat, Thousands, is_currency, number_of

Marks: TypeAlias = tuple[Decimal, Thousands]

# What pandas.read_csv reads as null.
NULLS = frozenset({
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
})  # fmt: skip
# A column is nearly one of numbers if this share of its cells are numbers.
MOSTLY = 0.8
# So many distinct cells are enough to rule a format out.
_SAMPLE = 1_000
_BOOLEANS = {"true": True, "false": False}
# The likeliest first. Where a comma separates cells, it can be a decimal comma only if an option says so.
_MARKS: tuple[Marks, ...] = (
    (".", ""), (",", ""), (",", "."), (",", " "), (",", "'"), (".", ","), (".", " "), (".", "'"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cells:
    """
    The cells of one column.

    Attributes:
        places: Shape (rows,), which of the distinct cells each row has.
        different: The distinct cells, as they are in the file.
    """

    places: NDArray[np.intp]
    different: tuple[str, ...]

    def __getitem__(self, rows: NDArray[np.intp]) -> "Cells":
        return replace(self, places=self.places[rows])

    @property
    def counts(self) -> dict[str, int]:
        """In how many rows each cell is, without cells of no row."""
        rows = np.bincount(self.places, minlength=len(self.different)).tolist()
        return {cell: count for cell, count in zip(self.different, rows, strict=True) if count}


@dataclass(frozen=True, slots=True)
class CellRules:
    """
    How the cells of all columns of one file are read.

    Attributes:
        nulls: Cells that mean null, the empty one included.
        comma_separates: Whether the delimiter is a comma.
        decimal: The decimal mark; None detects it.
        thousands: The mark between groups of three digits; None detects it.
    """

    nulls: frozenset[str] = NULLS
    comma_separates: bool = True
    decimal: Decimal | None = None
    thousands: Thousands | None = None

    @property
    def marks(self) -> list[Marks]:
        """The pairs of decimal mark and thousands separator to try, in this order."""
        allowed = [
            (decimal, thousands)
            for decimal, thousands in _MARKS
            if self.decimal in {None, decimal} and self.thousands in {None, thousands}
        ]
        if self.decimal is None and self.comma_separates:
            allowed = [marks for marks in allowed if marks[0] != ","] or allowed
        return allowed if _MARKS[0] in allowed else [*allowed, _MARKS[0]]


@dataclass(frozen=True, slots=True)
class ColumnFormat:
    """
    How the cells of one column are read.

    Attributes:
        kind: What the cells hold.
        nulls: Cells that mean null.
        numbers: How numbers are written; of a column of texts that is nearly one of numbers, how most of them are.
        is_nearly_numbers: Whether a column of texts would be numbers without its strays, or with another decimal mark.
        strays: The cells that keep a column from being numbers, the most frequent first.
    """

    kind: Literal["number", "boolean", "text"]
    nulls: frozenset[str]
    numbers: NumberFormat = PLAIN
    is_nearly_numbers: bool = False
    strays: tuple[str, ...] = ()

    def values(self, cells: Cells) -> "pd.Series[Any]":
        """Return numbers, booleans (objects if there are nulls) or texts; NaN for nulls and cells that do not fit."""
        if self.kind == "text":
            texts = pd.array([None if self.is_null(cell) else cell for cell in cells.different], dtype="str")
            return pd.Series(texts.take(cells.places))
        if self.kind == "boolean":
            known = [_BOOLEANS.get(cell.strip().lower(), np.nan) for cell in cells.different]
            values = np.array(known, dtype=object)[cells.places]
            return pd.Series(values if pd.isna(values).any() else values.astype(bool))
        parse = number_of if self.numbers == PLAIN else partial(self.numbers.read, strict=True)
        # Cells of no row may be fractions, and must not make floats of the others.
        counts = cells.counts
        numbers = [parse(cell.strip()) if cell in counts and not self.is_null(cell) else 0 for cell in cells.different]
        nulls = np.array([self.is_null(cell) for cell in cells.different], dtype=bool)[cells.places]
        return pd.Series(_array(numbers, cells.places, nulls))

    def is_null(self, cell: str) -> bool:
        """Return whether a cell means null; blanks around it are significant in texts only."""
        return (cell if self.kind == "text" else cell.strip()) in self.nulls

    def found_nulls(self, cells: Cells) -> set[str]:
        """Return the cells that mean null, without the empty one."""
        return {cell if self.kind == "text" else cell.strip() for cell in cells.counts if self.is_null(cell)} - {""}


def column_format_of(cells: Cells, rules: CellRules) -> ColumnFormat:
    """Detect how the cells of a column are read; all of them must fit, except the nulls."""
    known = Counter[str]()
    for cell, count in cells.counts.items():
        if cell.strip() not in rules.nulls:
            known[cell.strip()] += count
    if _are_codes(known):
        return ColumnFormat("text", rules.nulls)
    plain = NUMBER if rules.marks[0] == _MARKS[0] else WHOLE
    if all(map(plain.fullmatch, known)):
        return ColumnFormat("number", rules.nulls)
    if all(cell.lower() in _BOOLEANS for cell in known):
        return ColumnFormat("boolean", rules.nulls)
    return _formatted(known, rules)


def _formatted(known: Mapping[str, int], rules: CellRules) -> ColumnFormat:
    """Return the format of numbers that are not all written as in JSON, or of texts."""
    found = _format_of(known, rules.marks)
    if found is None:
        # The rules do not allow this format, but a warning can name it.
        found = _format_of(known, [marks for marks in _MARKS if marks not in rules.marks])
        return ColumnFormat("text", rules.nulls, found or PLAIN, is_nearly_numbers=found is not None)
    strays = [cell for cell in known if found.read(cell, strict=True) is None]
    if not strays:
        return ColumnFormat("number", rules.nulls, found)
    if _are_codes(known.keys() - strays):
        return ColumnFormat("text", rules.nulls)
    return ColumnFormat("text", rules.nulls, found, True, tuple(sorted(strays, key=lambda cell: (-known[cell], cell))))


def _are_codes(cells: Iterable[str]) -> bool:
    """Return whether all are digits, and some begin with a zero that a number would not have, such as ZIP codes."""
    codes = list(cells)
    are_digits = all(cell.isascii() and cell.isdigit() for cell in codes)
    return are_digits and any(len(cell) > 1 and cell[0] == "0" for cell in codes)


def _format_of(known: Mapping[str, int], marks: Sequence[Marks]) -> NumberFormat | None:
    """Return the format of all cells, else that of most of them; None if few of them are numbers."""
    signs = Counter(sign for cell in known for sign in {cell[0], cell[-1]} if is_currency(sign)).most_common(1)
    more: dict[str, Any] = {
        "percent": sum(cell.endswith("%") for cell in known) > MOSTLY * len(known),
        "currency": signs[0][0] if signs else "",
        "parentheses": any(cell.startswith("(") and cell.endswith(")") for cell in known),
    }
    sample = dict(islice(known.items(), 0, None, -(-len(known) // _SAMPLE)))
    best, most, rows = None, MOSTLY * sum(known.values()), sum(known.values())
    for decimal, thousands in marks:
        numbers = NumberFormat(decimal=decimal, thousands=thousands, **more)
        if _rows(sample, numbers) < MOSTLY * sum(sample.values()):
            continue
        read = _rows(known, numbers)
        if read == rows:
            return numbers
        if read >= most and (best is None or read > most):
            best, most = numbers, read
    return best


def _rows(known: Mapping[str, int], numbers: NumberFormat) -> int:
    return sum(count for cell, count in known.items() if numbers.read(cell, strict=True) is not None)


def _array(numbers: Sequence[int | float | None], places: NDArray[np.intp], nulls: NDArray[np.bool_]) -> NDArray[Any]:
    """Return integers if all numbers are, and a dtype of integers holds them; else floats."""
    if not nulls.any() and set(map(type, numbers)) == {int}:
        for dtype in (np.int64, np.uint64):
            try:
                return np.array(numbers, dtype=dtype)[places]
            except OverflowError:
                continue
    floats = np.array([_float(number) for number in numbers], dtype=np.float64)[places]
    return np.where(nulls, np.nan, floats)


def _float(number: float | None) -> float:
    if number is None:
        return np.nan
    try:
        return float(number)
    except OverflowError:
        return np.inf if number > 0 else -np.inf
