"""The one check that every value of a column passes, whether it came as JSON or as CSV."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from artifacts.columns import Column, Scalar
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
    "text-too-long": "expected a text of at most {limit} characters",
    "unknown-category": "expected one of the categories that {saw}: {known}",
}
# Next to `non-finite`: what to send for a value that is missing.
_SEND_NULL = ": send null for a missing value, in a CSV an empty cell"
_NO_NULL = ": for a missing value send null where the model takes nulls; this column takes none"
# What stands for a value at fault until its row is left out.
_FILLERS: dict[str, Scalar] = {"float": 0.0, "integer": 0, "boolean": False, "category": None, "text": ""}
# numpy gives every text of an array the room of the longest.
_ROOM = 1024
_MOST_NAMED = 8
_TEXTS = {str, type(None)}
_LONGEST_NAMED = 32
# Possessive, as a text may be long.
_DECIMAL_COMMA = re.compile(r"\s*+[+-]?+[0-9]++,[0-9]++\s*+")
_NON_FINITE = re.compile(r"\s*[+-]*(?:nan|inf|infinity)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake, and the rows that made it; `column` is None where the row itself is at fault."""

    code: str
    message: str
    rows: NDArray[np.intp]
    column: str | None = None


class FloatLiteral(float):
    """A number together with its text: the float of `9007199254740993.0` is the one of its neighbour."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        literal = super().__new__(cls, text)
        literal.text = text
        return literal

    def __repr__(self) -> str:
        return self.text

    @property
    def integer(self) -> int | None:
        """The integer that the text stands for exactly, or None; of finite numbers only."""
        try:
            exact = Decimal(self.text)
        except InvalidOperation:
            # An exponent of more than 18 digits: as a float it was zero, and is not.
            return None
        if not exact:
            return 0
        whole = exact.to_integral_value()
        return int(whole) if whole == exact else None


class Check:
    """Casts the values of one column to its dtype: at once where all are plainly right, one by one where not."""

    def __init__(self, column: Column) -> None:
        self._column = column
        self._build = builder(column)
        self._judge = _judge_of(column)
        self._filler = column.known[0] if column.categories else _FILLERS[column.kind]
        self._known = frozenset(column.known) if column.kind == "category" else None
        self._is_numeric = column.kind in {"float", "integer"}
        self._longest = longest(column)
        nothing = {type(None)} if column.nullable else set()
        self._plain = frozenset(_plain_types(column) | nothing)

    def __call__(self, values: Sequence[object], *, max_digits: int) -> tuple[Array, list[Fault]]:
        """Shape (rows,): the values in the column's dtype, something or other in place of those at fault."""
        if self._plain.issuperset(map(type, values)):
            array = self._at_once(values, max_digits)
            if array is not None:
                return array, []
        return self._one_by_one(values, max_digits)

    def _at_once(self, values: Sequence[Any], max_digits: int) -> Array | None:
        """All values at once; None where one of them needs a closer look."""
        if self._is_numeric and not _are_small(values, 10**max_digits):
            return None
        if not self._are_known(values) or not self._are_short(values):
            return None
        try:
            with np.errstate(over="ignore"):
                array = self._build(values)
        except OverflowError:
            return None
        # What a narrow float cannot hold has become infinite.
        return None if array.dtype.kind == "f" and np.isinf(array).any() else array

    def _are_known(self, values: Sequence[Any]) -> bool:
        """Whether all may pass for categories without a closer look; an unknown float may be no number at all."""
        if self._known is None:
            return True
        strange = set(values) - self._known - {None}
        return not strange or (self._column.unknown == "pass" and float not in set(map(type, strange)))

    def _are_short(self, values: Sequence[Any]) -> bool:
        return not self._longest or max(map(len, values), default=0) <= self._longest

    def _one_by_one(self, values: Sequence[object], max_digits: int) -> tuple[Array, list[Fault]]:
        """What is right is cast, each mistake is filed under its code."""
        limit = 10**max_digits
        # What is wrong once is often wrong in every row. Of other values equal ones may differ: 1, 1.0 and True.
        once = {value: self._verdict(value, limit) for value in {value for value in values if type(value) in _TEXTS}}
        judged = [once[value] if type(value) in _TEXTS else self._verdict(value, limit) for value in values]
        wrong: dict[Wrong, list[int]] = {}
        for row, value in enumerate(judged):
            if isinstance(value, Wrong):
                wrong.setdefault(value, []).append(row)
                judged[row] = self._filler
        faults = [
            Fault(each.code, self._message(each.code, max_digits) + each.hint, np.array(rows), self._column.name)
            for each, rows in wrong.items()
        ]
        return self._build(judged), faults

    def _verdict(self, value: object, limit: int) -> "Scalar | Wrong":
        if value is None:
            return None if self._column.nullable else Wrong("null")
        if self._is_numeric and isinstance(value, int) and abs(value) >= limit:
            return Wrong("integer-too-long")
        if self._longest and isinstance(value, str) and len(value) > self._longest:
            return Wrong("text-too-long")
        judged = self._judge(value)
        if isinstance(judged, Wrong) and judged.code == "non-finite" and _is_nan(value):
            return Wrong("non-finite", _SEND_NULL if self._column.nullable else _NO_NULL)
        # An integer among objects has no bounds of its own, and 1e300 is one of 301 digits.
        if self._is_numeric and self._column.dtype == "object" and isinstance(judged, int) and abs(judged) >= limit:
            return Wrong("out-of-range")
        return judged

    def _message(self, code: str, max_digits: int) -> str:
        named = [_printable(value) for value in self._column.known[:_MOST_NAMED]]
        more = ["..."] if len(self._column.categories) > _MOST_NAMED else []
        limit = self._longest if code == "text-too-long" else max_digits
        words = {"dtype": self._column.dtype, "limit": limit, "known": ", ".join(named + more), "saw": self._column.saw}
        return MESSAGES[code].format(**words)


class Wrong(NamedTuple):
    """A value that may not pass, why, and what else helps to correct it."""

    code: str
    hint: str = ""


Judge: TypeAlias = Callable[[object], Scalar | Wrong]


def builder(column: Column) -> Callable[[Sequence[Any]], Array]:
    """
    What turns values that are right, None for a null, into an array.

    It has the column's very dtype where that is one of numpy's. What only pandas has, texts, categories and integers
    with nulls, is an array of objects, of which `frames.cast` makes the rest where an estimator wants it.
    """
    dtype = column.dtype
    if dtype in {"object", "category", "str", "string"}:
        return _objects
    if dtype == "boolean" or (dtype != "U" and dtype[0].isupper()):
        return _bounded("bool" if dtype == "boolean" else dtype.lower())
    return lambda values: np.array(values, dtype=dtype)


def _bounded(dtype: str) -> Callable[[Sequence[Any]], Array]:
    """Of what has a mask for its nulls: by way of floats, integers would lose digits."""

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


def takes_integers(column: Column) -> bool:
    """Whether a number of this column must be an integer exactly, so that a float may have lost what it was."""
    return _plain_types(column) == {int}


def longest(column: Column) -> int:
    """How many characters a text may have in an array of texts; 0 is as many as it likes."""
    if column.dtype != "U":
        return 0
    seen = column.maximum if column.kind == "text" else max((len(str(value)) for value in column.known), default=0)
    return max(_ROOM, int(seen or 0))


def _are_small(values: Sequence[Any], limit: int) -> bool:
    """Whether all numbers are finite and shorter than the limit; as floats, which is exact enough to send on."""
    try:
        wide = np.array(values, dtype=np.float64)
    except OverflowError:
        return False
    # A null has become NaN; a NaN that was sent must not pass for one.
    small = np.abs(wide) < float(min(limit, 10**300))
    return bool(np.count_nonzero(small) + values.count(None) == len(values))


def _plain_types(column: Column) -> set[type]:
    if column.kind == "category":
        kinds = set(map(type, column.known)) or {str}
        return kinds | {int} if float in kinds else kinds
    plain: dict[str, set[type]] = {"float": {int, float}, "integer": {int}, "boolean": {bool}, "text": {str}}
    return plain[column.kind]


def _judge_of(column: Column) -> Judge:
    if column.kind == "boolean":
        return lambda value: value if isinstance(value, bool) else Wrong("not-a-boolean")
    if column.kind == "text":
        return lambda value: value if isinstance(value, str) else Wrong("not-a-text")
    if column.kind == "category":
        return _category(column)
    return _integer(column) if column.kind == "integer" else _float(column)


def _category(column: Column) -> Judge:
    plain = frozenset(_plain_types(column))
    codes = {str: "not-a-text", bool: "not-a-boolean", int: "not-an-integer", float: "not-a-number"}
    code = next(codes[kind] for kind in (str, float, int, bool) if kind in plain)
    known = frozenset(column.known)

    def judge(value: object) -> Scalar | Wrong:
        if isinstance(value, float) and int in plain:
            whole = _whole(value) if isfinite(value) else None
            value = float(value) if whole is None else whole
        if isinstance(value, float) and float in plain and not np.isfinite(value):
            return Wrong("non-finite")
        if not isinstance(value, bool | int | float | str) or type(value) not in plain:
            return Wrong(code)
        return value if value in known or column.unknown == "pass" else Wrong("unknown-category")

    return judge


def _number(value: object, hint: str, comma_hint: str) -> int | float | Wrong:
    if isinstance(value, str):
        if _NON_FINITE.fullmatch(value):
            return Wrong("non-finite")
        return Wrong("not-a-number", comma_hint if "," in value and _DECIMAL_COMMA.fullmatch(value) else hint)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Wrong("not-a-number")
    return value if isinstance(value, int) or isfinite(value) else Wrong("non-finite")


def _hints(column: Column) -> tuple[str, str]:
    """How the numbers of a column are written, for a text that is none, and for one that is but for a decimal comma."""
    if column.numbers:
        spelling = f", in a CSV with {column.numbers.words}"
        return spelling, spelling
    return "", ": write a decimal point, not a comma" if column.kind == "float" else ""


def _is_nan(value: object) -> bool:
    return str(value).strip().lower().lstrip("+-") == "nan"


def _whole(number: float) -> int | None:
    """The integer that a finite number is, exactly; None if it is none."""
    if isinstance(number, FloatLiteral):
        return number.integer
    return int(number) if number == int(number) else None


def _integer(column: Column) -> Judge:
    bounds = None if column.dtype == "object" else np.iinfo(column.dtype.lower())
    hints = _hints(column)

    def judge(value: object) -> Scalar | Wrong:
        number = _number(value, *hints)
        if isinstance(number, Wrong):
            return number
        whole = _whole(number)
        if whole is None:
            return Wrong("not-an-integer")
        fits = bounds is None or bounds.min <= whole <= bounds.max
        return whole if fits else Wrong("out-of-range")

    return judge


def _float(column: Column) -> Judge:
    dtype = np.dtype("float64" if column.dtype == "object" else column.dtype.lower())
    most = float(np.finfo(dtype).max)
    hints = _hints(column)

    def fits(number: float) -> bool:
        if abs(number) <= most:
            return True
        # A little more may still be rounded down.
        try:
            with np.errstate(over="ignore"):
                return bool(np.isfinite(dtype.type(number)))
        except OverflowError:
            return False

    def judge(value: object) -> Scalar | Wrong:
        number = _number(value, *hints)
        if isinstance(number, Wrong):
            return number
        if not fits(number):
            return Wrong("out-of-range")
        # Objects are what they were: there an integer stays one.
        return number if column.dtype == "object" and type(number) is int else float(number)

    return judge


def _printable(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    text = printable(text[:_LONGEST_NAMED])
    return text if len(text) < _LONGEST_NAMED else text[: _LONGEST_NAMED - 1] + "…"
