"""Casts of whole CSV columns to the arrays of a model's columns; rows that need a closer look are left out."""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from artifacts.columns import Column
from artifacts.kinds import kind_of
from artifacts.kinds.numbers import EXACT, NumberKind
from artifacts.number_formats import NUMBER
from artifacts.values import Array, Check
from serve.dialects import arrays
from serve.dialects.csv.pass_through import Cutter

Good: TypeAlias = NDArray[np.bool_]
Cast: TypeAlias = tuple[pa.DataType, Callable[[pa.Array], tuple[Array, Good]]]
"""The type that Arrow may read cells as, and a function that casts them, or texts, to values, shape (rows,) each: the
values and which of them are valid."""

_TEXT = pa.string()
# The same as NUMBER, for an engine that knows no possessive quantifiers and needs none.
_NUMBER = NUMBER.pattern.replace("++", "+").replace("?+", "?").replace("*+", "*")
_HEXADECIMAL = re.compile(b"0[xX]")
# A whole number of so few digits is exact as a float; a longer one, or one with an exponent, gets a closer look.
_WHOLE = r"[+-]?[0-9]{1,15}(?:\.0*)?"
# If more than one row in this many needs a closer look, all of them are read one by one.
_FEW_SHARE = 4


class ColumnReader:
    """Reads the model's columns from lines that are one row each."""

    def __init__(self, cutter: Cutter, casts: Mapping[int, Cast]) -> None:
        """
        Prepare to read.

        Args:
            cutter: Cuts lines into cells.
            casts: The cast of each column of the model, by the place of its cell in a row.
        """
        self._cutter = cutter
        self._casts = [cast for _, cast in casts.values()]
        self._types = {place: kind for place, (kind, _) in casts.items()}

    def read(self, lines: pa.Buffer) -> tuple[list[Array], Good] | None:
        """
        Read rows of the right length.

        Returns:
            One array per column, and shape (rows,), the rows all of whose values are valid; None if these are few.
        """
        # As an integer, Arrow reads 0x1F too.
        is_misread = pa.int64() in self._types.values() and _HEXADECIMAL.search(lines)
        types = dict.fromkeys(self._types, _TEXT) if is_misread else self._types
        try:
            columns = self._cutter.cut(lines, types)
        except pa.ArrowInvalid:
            # A cell of numbers is not a number. Where there is one, there are others.
            self._types = dict.fromkeys(self._types, _TEXT)
            columns = self._cutter.cut(lines, self._types)
        arrays, right = [], np.ones(len(columns[0]), dtype=bool)
        for cast, column in zip(self._casts, columns, strict=True):
            array, good = cast(column)
            arrays.append(array)
            right &= good
            if are_few(right):
                return None
        return arrays, right


def are_few(right: Good) -> bool:
    """Return whether so many rows need a closer look that all of them may as well be read one by one."""
    return bool(np.count_nonzero(~right) * _FEW_SHARE > len(right))


def cast_of(column: Column, nulls: frozenset[str], max_digits: int) -> Cast:
    """
    Return the cast of a column's cells.

    Args:
        column: The column of the model.
        nulls: Cells that mean null besides the empty one.
        max_digits: The longest integer that is taken for a number.
    """
    kind = kind_of(column)
    if isinstance(kind, NumberKind) and kind.is_plain and not column.numbers:
        numbers = _Numbers(kind, nulls, max_digits)
        return numbers.type, numbers
    read, check = kind.cell_reader(nulls), Check(column)

    def checked(cells: Sequence[str]) -> tuple[Array, Good]:
        values, faults = check(read(cells), max_digits=max_digits)
        good = np.ones(len(cells), dtype=bool)
        for fault in faults:
            good[fault.rows] = False
        return values, good

    spellings = kind.spellings()
    if not spellings:
        return _TEXT, lambda cells: checked(cells.to_pylist())
    known = list(dict.fromkeys([*spellings, *nulls, ""]))
    values, good = checked(known)
    values, vocabulary = values[good], arrays.strings(list(compress(known, good)))

    def look_up(cells: pa.StringArray) -> tuple[Array, Good]:
        places = pc.index_in(cells, value_set=vocabulary)
        is_known = arrays.are_set(pc.is_valid(places))
        return values.take(np.where(is_known, arrays.values(places, np.int32), 0)), is_known

    return _TEXT, look_up


class _Numbers:
    """Cells that Arrow casts to numbers."""

    def __init__(self, kind: NumberKind, nulls: frozenset[str], max_digits: int) -> None:
        # Tokens for null that are numbers as well; those with blanks around them are left to the row-by-row check.
        self._tokens = [float(token) for token in nulls if NUMBER.fullmatch(token)]
        self._dtype, self._is_whole, self._is_nullable = kind.dtype, kind.takes_integers, kind.column.nullable
        self.type = _TEXT if self._tokens else pa.int64() if self._is_whole else pa.float64()
        self._is_masked = kind.column.dtype[0].isupper()
        self._number = f"^(?:{_WHOLE if self._is_whole else _NUMBER})$"
        self._nulls = arrays.strings(["", *nulls])
        # Half of what an integer of so many digits is: what is larger gets a closer look.
        self._least, self._most = kind.bounds(min(EXACT - 1 if self._is_whole else np.inf, 10.0**max_digits / 2))

    def __call__(self, cells: pa.Array) -> tuple[Array, Good]:
        values, is_null = self._parsed(cells)
        # A NaN is neither.
        good = (values >= self._least) & (values <= self._most)
        if not self._is_whole:
            # As JSON -0 is the integer 0.
            good &= (values != 0) | ~np.signbit(values)
        for token in self._tokens:
            good &= values != token
        if is_null is not None and self._is_nullable:
            good |= is_null
        return self._built(values, good, is_null), good

    def _parsed(self, cells: pa.Array) -> tuple[NDArray[np.float64], Good | None]:
        """Return shape (rows,): the numbers, NaN where a cell is not a number; and which cells are null, if any."""
        if cells.type == pa.int64() or not (self._tokens or self._is_whole):
            # At once, or not at all; of floats that Arrow has read it costs nothing.
            try:
                return arrays.values(pc.cast(cells, pa.float64(), safe=False), np.float64), None
            except pa.ArrowInvalid:
                pass
        is_null = pc.is_in(cells, value_set=self._nulls)
        trimmed = pc.ascii_trim_whitespace(cells)
        is_number = pc.and_not(pc.match_substring_regex(trimmed, self._number), is_null)
        numbers = pc.cast(pc.if_else(is_number, trimmed, arrays.string("nan")), pa.float64())
        return arrays.values(numbers, np.float64), arrays.are_set(is_null)

    def _built(self, values: NDArray[np.float64], good: Good, is_null: Good | None) -> Array:
        if self._dtype.kind == "f" and not self._is_masked:
            with np.errstate(over="ignore"):
                return values.astype(self._dtype, copy=False)
        filled = np.where(good & np.isfinite(values), values, 0).astype(self._dtype)
        if not self._is_masked:
            return filled
        held = filled.astype(object)
        held[slice(0) if is_null is None else is_null] = None
        return held
