"""The rows of one CSV file, and the values of its columns."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from artifacts.number_formats import PLAIN, NumberFormat
from train.cells import CellRules, Cells, ColumnFormat, column_format_of
from train.errors import ColumnMissing, TableUnreadable
from train.profile import CATEGORY_SHARE, MOST_CATEGORIES

Kind: TypeAlias = Literal["number", "boolean", "category", "text"]

# The square of such a number, and a sum of many such squares, is still finite.
_LARGEST = 1e100


@dataclass(frozen=True)
class Table:
    """
    The rows of one CSV file.

    Attributes:
        source: The file's name.
        columns: The cells of each column.
        lines: Shape (rows,), the line on which each row begins.
        rules: How cells are read.
        repeated: The lines that repeat the header and are not rows.
    """

    source: str
    columns: Mapping[str, Cells]
    lines: NDArray[np.intp]
    rules: CellRules
    repeated: tuple[int, ...] = ()

    def require(self, *names: str) -> None:
        """
        Check that the table has these columns.

        Raises:
            ColumnMissing: Some of them are missing.
        """
        missing = [name for name in names if name not in self.columns]
        if missing:
            raise ColumnMissing(*missing, columns=list(self.columns), source=self.source)

    @property
    def index(self) -> pd.RangeIndex:
        """The rows, by their number."""
        return pd.RangeIndex(len(self.lines))

    def cells(self, name: str, rows: "pd.Index[Any] | None" = None) -> Cells:
        """Return the cells of a column in these rows, or in all of them."""
        return self.columns[name] if rows is None else self.columns[name][rows.to_numpy(dtype=np.intp)]

    def column_format(self, name: str, rows: "pd.Index[Any] | None" = None) -> ColumnFormat:
        """Return how the cells of a column are read, as these rows show it, or all of them."""
        return column_format_of(self.cells(name, rows), self.rules)

    def values(self, name: str, column_format: ColumnFormat, rows: "pd.Index[Any] | None" = None) -> "pd.Series[Any]":
        """
        Return the values of a column in these rows, or in all of them.

        Raises:
            TableUnreadable: A number is too large to be squared.
        """
        values = column_format.values(self.cells(name, rows)).rename(name)
        values.index = self.index if rows is None else rows
        largest = values.abs().max() if values.dtype.kind == "f" else 0
        if largest > _LARGEST:
            raise TableUnreadable(
                f"{self.source} has {largest:g} in column {name!r}, and no model can be fitted on numbers beyond "
                f"{_LARGEST:g}: correct it, or leave it empty"
            )
        return values

    def lines_of(self, name: str, cells: Collection[str]) -> list[int]:
        """Return the lines of the rows with these cells in a column, without regard to surrounding blanks."""
        wanted = [cell.strip() in cells for cell in self.columns[name].different]
        found: list[int] = self.lines[np.array(wanted)[self.columns[name].places]].tolist()
        return found

    @cached_property
    def formats(self) -> dict[str, ColumnFormat]:
        """How each column is read, as all rows show it."""
        return {name: self.column_format(name) for name in self.columns}

    @cached_property
    def frame(self) -> pd.DataFrame:
        """All columns as values; a null is NaN, and booleans with nulls are objects."""
        return pd.DataFrame({name: self.values(name, each) for name, each in self.formats.items()})

    @property
    def nulls(self) -> tuple[str, ...]:
        """Which cells of the frame were read as null, except the empty one."""
        return nulls_of(self, self.formats)

    @property
    def number_formats(self) -> dict[str, NumberFormat]:
        """By column, how the numbers of the frame are written, where not as in JSON."""
        return number_formats_of(self.formats)


def nulls_of(table: Table, formats: Mapping[str, ColumnFormat]) -> tuple[str, ...]:
    """Return which cells of these columns are read as null, except the empty one."""
    found = [each.found_nulls(table.cells(name)) for name, each in formats.items()]
    return tuple(sorted(set().union(*found)))


def number_formats_of(formats: Mapping[str, ColumnFormat]) -> dict[str, NumberFormat]:
    """Return by column the number formats that differ from JSON's."""
    return {name: each.numbers for name, each in formats.items() if each.kind == "number" and each.numbers != PLAIN}


def column_kind(values: "pd.Series[Any]") -> Kind:
    """Return what a column holds; a few texts, each of them in several rows, are categories."""
    if values.dtype.kind in "iuf":
        return "number"
    if values.dtype in (bool, object):
        return "boolean"
    known = values.dropna()
    return "category" if known.nunique() <= min(MOST_CATEGORIES, CATEGORY_SHARE * len(known)) else "text"
