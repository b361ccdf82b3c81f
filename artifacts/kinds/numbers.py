"""What columns of numbers have in common."""

import re
from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from artifacts.kinds.base import CellReader, ColumnKind, Wrong
from artifacts.kinds.cells import number_reader
from artifacts.number_formats import FloatLiteral

if TYPE_CHECKING:
    from artifacts.columns import Column

# What to send for a value that is missing.
_SEND_NULL = ": send null for a missing value, in a CSV an empty cell"
_NO_NULL = ": for a missing value send null where the model takes nulls; this column takes none"
# Possessive, as a text may be long.
_DECIMAL_COMMA = re.compile(r"\s*+[+-]?+[0-9]++,[0-9]++\s*+")
_NON_FINITE = re.compile(r"\s*[+-]*(?:nan|inf|infinity)\s*", re.IGNORECASE)
# Beyond it, an integer and the float that it becomes may differ.
EXACT = 2**53


class NumberKind(ColumnKind):
    """
    A column of numbers.

    Attributes:
        dtype: The numpy dtype of its numbers; among objects they have none of their own.
        is_plain: Whether its numbers have a dtype, so that whole arrays can be cast.
    """

    is_numeric = True
    comma_hint: ClassVar[str] = ""

    def __init__(self, column: "Column") -> None:
        super().__init__(column)
        self.is_plain = column.dtype != "object"
        self.dtype = np.dtype(column.dtype.lower() if self.is_plain else "float64")
        self._info: Any = np.finfo(self.dtype) if self.dtype.kind == "f" else np.iinfo(self.dtype)
        spelling = f", in a CSV with {column.numbers.words}" if column.numbers else ""
        self._hint, self._comma_hint = spelling, spelling or self.comma_hint

    def are_valid(self, values: Sequence[Any], limit: int) -> bool:
        # As floats, which is exact enough to leave the others to a closer look.
        try:
            wide = np.array(values, dtype=np.float64)
        except OverflowError:
            return False
        # A null has become NaN; a NaN that was sent must not pass for one.
        small = np.abs(wide) < float(min(limit, 10**300))
        return bool(np.count_nonzero(small) + values.count(None) == len(values))

    def judge(self, value: object, limit: int) -> object:
        if isinstance(value, int) and abs(value) >= limit:
            return Wrong("integer-too-long")
        number = self._number(value)
        judged = number if isinstance(number, Wrong) else self._fitted(number)
        # An integer among objects has no bounds of its own, and 1e300 is one of 301 digits.
        if not self.is_plain and isinstance(judged, int) and abs(judged) >= limit:
            return Wrong("out-of-range")
        return judged

    def cell_reader(self, nulls: frozenset[str]) -> CellReader:
        return number_reader(nulls, is_exact=self.takes_integers, numbers=self.column.numbers)

    def bounds(self, most: float) -> tuple[float, float]:
        """Return the least and the largest number that its dtype holds, both at most `most` from 0."""
        return max(float(self._info.min), -most), min(float(self._info.max), most)

    def fast_bounds(self, max_digits: int) -> tuple[float, float]:
        """Return the range of numbers that a float holds exactly, integers included."""
        return self.bounds(float(min(EXACT, 10**max_digits) - 1))

    def _fitted(self, number: float) -> object:
        """Return a finite number as the column holds it, or why it does not fit."""
        raise NotImplementedError

    def _number(self, value: object) -> int | float | Wrong:
        if isinstance(value, str):
            if _NON_FINITE.fullmatch(value):
                return non_finite(value, self.column)
            return Wrong("not-a-number", self._comma_hint if _DECIMAL_COMMA.fullmatch(value) else self._hint)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return Wrong("not-a-number")
        return value if isinstance(value, int) or isfinite(value) else non_finite(value, self.column)


def non_finite(value: object, column: "Column") -> Wrong:
    """Return the fault of a number that is not finite, with what to send in place of a NaN."""
    is_nan = str(value).strip().lower().lstrip("+-") == "nan"
    return Wrong("non-finite", (_SEND_NULL if column.nullable else _NO_NULL) if is_nan else "")


def whole(number: float) -> int | None:
    """Return the integer that a finite number is, exactly; None if it is not an integer."""
    if isinstance(number, FloatLiteral):
        return number.integer
    return int(number) if number == int(number) else None
