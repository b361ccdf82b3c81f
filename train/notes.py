"""What the command line prints about how it read a table: its nulls and its number formats."""

import re
from collections.abc import Mapping, Sequence
from itertools import groupby

from artifacts.number_formats import PLAIN, NumberFormat, number_of
from train.cells import ColumnFormat
from train.tables import Table, nulls_of, number_formats_of

_MOST_NAMED = 8
# A number in which three digits follow each point, so that the points may separate thousands.
_GROUPED = re.compile(r"[+-]?[1-9][0-9]{0,2}\.[0-9]{3}")


def null_note(nulls: Sequence[str]) -> str:
    """Return a sentence about the cells that are read as null."""
    return f"read as null: an empty cell, {', '.join(map(repr, nulls))}"


def listed_lines(lines: Sequence[int]) -> str:
    """Return how many lines there are, and the numbers of the first."""
    more = ", ..." if len(lines) > _MOST_NAMED else ""
    return f"{len(lines)}, on line {', '.join(map(str, lines[:_MOST_NAMED]))}{more}"


def reading_notes(table: Table, formats: Mapping[str, ColumnFormat]) -> list[str]:
    """Return a sentence about the nulls, one per number format, and one per column whose points are ambiguous."""
    nulls = nulls_of(table, formats)
    notes = [null_note(nulls).replace("null:", "null, here and by the server:")] if nulls else []
    numbers = sorted(number_formats_of(formats).items(), key=lambda item: item[1].words)
    for words, group in groupby(numbers, key=lambda item: item[1].words):
        columns = [(name, *_example(table, name, each)) for name, each in group]
        named = ", ".join(f"{name!r} ({cell!r} is {value})" for name, cell, value in columns[:_MOST_NAMED] if cell)
        more = f", and {len(columns) - _MOST_NAMED} more" if len(columns) > _MOST_NAMED else ""
        notes.append(f"read as numbers with {words}, here and by the server: {named}{more}")
    return notes + _ambiguous_points(table, formats)


def _ambiguous_points(table: Table, formats: Mapping[str, ColumnFormat]) -> list[str]:
    """Name columns whose points may separate thousands, since another column of the file has a decimal comma."""
    if all(numbers.decimal != "," for numbers in number_formats_of(formats).values()):
        return []
    return [
        f"{name!r} is read with a decimal point ({cells[0]!r} is {number_of(cells[0])}); if points separate thousands: "
        "--thousands ."
        for name, each in formats.items()
        if each.kind == "number" and each.numbers == PLAIN and (cells := _grouped(table, name))
    ]


def _grouped(table: Table, name: str) -> list[str]:
    """Return the cells of a column that have a point, if three digits follow each of them."""
    cells = [cell.strip() for cell in table.columns[name].counts if "." in cell]
    return cells if all(map(_GROUPED.fullmatch, cells)) else []


def _example(table: Table, name: str, numbers: NumberFormat) -> tuple[str, int | float]:
    """Return a cell that is not written as in JSON, and its value."""
    parsed = ((cell.strip(), numbers.read(cell, strict=True)) for cell in table.columns[name].different)
    return next(((cell, value) for cell, value in parsed if value is not None and number_of(cell) != value), ("", 0))
