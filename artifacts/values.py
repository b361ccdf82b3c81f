"""The check of the values of a column, sent as JSON or as CSV; the column's kind decides which are valid."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from artifacts.columns import Column
from artifacts.kinds import kind_of
from artifacts.kinds.base import Wrong
from artifacts.text import printable

Array: TypeAlias = NDArray[Any]

MESSAGES = {
    "integer-too-long": "expected a number of at most {limit} digits",
    "non-finite": "expected a finite number",
    "not-a-boolean": "expected true or false",
    "not-a-number": "expected a number",
    "not-a-text": "expected a text",
    "not-an-integer": "expected a whole number",
    "null": "expected a value: {saw} no null here",
    "out-of-range": "expected a value that fits into {dtype}",
    "text-too-long": "expected a text of at most {longest} characters",
    "unknown-category": "expected one of the categories that {saw}: {known}",
}
_MOST_NAMED = 8
_LONGEST_NAMED = 32
_TEXTS = {str, type(None)}


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake, and the rows that have it; `column` is None where it concerns the row as a whole."""

    code: str
    message: str
    rows: NDArray[np.intp]
    column: str | None = None


class Check:
    """Casts the values of one column to its dtype: all at once if they are valid, else one by one."""

    def __init__(self, column: Column) -> None:
        self._column = column
        self._kind = kind_of(column)
        self.build = builder(column)
        self._types = self._kind.types | ({type(None)} if column.nullable else set())

    def __call__(self, values: Sequence[object], *, max_digits: int) -> tuple[Array, list[Fault]]:
        """Return the values in the column's dtype, shape (rows,), with a filler for invalid ones, and the faults."""
        if self._types.issuperset(map(type, values)):
            array = self._at_once(values, 10**max_digits)
            if array is not None:
                return array, []
        return self._one_by_one(values, max_digits)

    def _at_once(self, values: Sequence[Any], limit: int) -> Array | None:
        """Return all values; None if one of them needs a closer look."""
        if not self._kind.are_valid(values, limit):
            return None
        try:
            with np.errstate(over="ignore"):
                array = self.build(values)
        except OverflowError:
            return None
        # A number that a narrow float cannot hold has become infinite.
        return None if array.dtype.kind == "f" and np.isinf(array).any() else array

    def _one_by_one(self, values: Sequence[object], max_digits: int) -> tuple[Array, list[Fault]]:
        """Cast valid values, and collect the rows of the others by their fault."""
        limit = 10**max_digits
        # What is wrong once is often wrong in every row. Of other values equal ones may differ: 1, 1.0 and True.
        once = {value: self._judged(value, limit) for value in {value for value in values if type(value) in _TEXTS}}
        judged = [once[value] if type(value) in _TEXTS else self._judged(value, limit) for value in values]
        wrong: dict[Wrong, list[int]] = {}
        for row, value in enumerate(judged):
            if isinstance(value, Wrong):
                wrong.setdefault(value, []).append(row)
                judged[row] = self._kind.filler
        faults = [
            Fault(each.code, self._message(each.code, max_digits) + each.hint, np.array(rows), self._column.name)
            for each, rows in wrong.items()
        ]
        return self.build(judged), faults

    def _judged(self, value: object, limit: int) -> object:
        if value is None:
            return None if self._column.nullable else Wrong("null")
        return self._kind.judge(value, limit)

    def _message(self, code: str, max_digits: int) -> str:
        column = self._column
        named = [_shortened(value) for value in column.known[:_MOST_NAMED]]
        known = ", ".join([*named, "..."] if len(column.categories) > _MOST_NAMED else named)
        return MESSAGES[code].format(
            dtype=column.dtype, limit=max_digits, longest=self._kind.longest, known=known, saw=column.saw
        )


def builder(column: Column) -> Callable[[Sequence[Any]], Array]:
    """
    Return what makes an array of valid values, None for a null.

    It has the column's very dtype where that is one of numpy's. What only pandas has, texts, categories and integers
    with nulls, is an array of objects, of which `frames.cast` makes the rest where an estimator needs it.
    """
    dtype = column.dtype
    if dtype in {"object", "category", "str", "string"}:
        return _objects
    if dtype == "boolean" or (dtype != "U" and dtype[0].isupper()):
        return _bounded("bool" if dtype == "boolean" else dtype.lower())
    return lambda values: np.array(values, dtype=dtype)


def _bounded(dtype: str) -> Callable[[Sequence[Any]], Array]:
    """Return the builder of a dtype that masks its nulls: by way of floats, integers would lose digits."""

    def build(values: Sequence[Any]) -> Array:
        held: Array = np.array([value for value in values if value is not None], dtype=dtype)
        if held.dtype.kind == "f" and np.isinf(held).any():
            raise OverflowError
        return _objects(values)

    return build


def _objects(values: Sequence[Any]) -> Array:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _shortened(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    text = printable(text[:_LONGEST_NAMED])
    return text if len(text) < _LONGEST_NAMED else text[: _LONGEST_NAMED - 1] + "…"
