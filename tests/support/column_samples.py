"""Columns of every kind and dtype, and a slow reference check that decides value by value which ones are valid."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from artifacts import frames
from artifacts.columns import Column
from artifacts.values import Check, Fault

TEXTS, INTEGERS, FLOATS, BOOLEANS = ["b", "a", ""], [3, -1, 2**60], [2.0, 0.5], [True, False]
LEVELS: dict[str, Sequence[Any]] = {
    "str": TEXTS,
    "string": TEXTS,
    "object": TEXTS,
    "int64": INTEGERS,
    "Int64": INTEGERS,
    "float64": FLOATS,
    "bool": BOOLEANS,
    "boolean": BOOLEANS,
}


def column(kind: str, dtype: str, *, known: Sequence[Any] = (), **more: Any) -> Column:
    """Return a column whose name lists its properties."""
    name = " ".join([kind, dtype, *(f"{field}={value}" for field, value in more.items())])
    categories = [{"value": value, "count": 1} for value in known]
    return Column.model_validate(
        {"name": name, "kind": kind, "dtype": dtype, "nullable": False, "categories": categories, **more}
    )


COLUMNS = [
    *(column("float", dtype) for dtype in ("float64", "float32", "float16", "Float64", "Float32", "object")),
    *(column("float", dtype, nullable=True) for dtype in ("float64", "float32", "Float64", "Float32")),
    *(column("integer", dtype) for dtype in ("int8", "int32", "int64", "uint8", "uint64", "Int8", "object")),
    *(column("integer", dtype, nullable=True) for dtype in ("Int64", "UInt64")),
    *(column("boolean", dtype) for dtype in ("bool", "boolean", "object")),
    column("boolean", "boolean", nullable=True),
    *(column(kind, "object", nullable=True, null=null) for kind in ("float", "boolean") for null in ("nan", "none")),
    *(column("category", dtype, known=TEXTS) for dtype in ("U", "str", "string", "object")),
    *(column("category", dtype, known=TEXTS, nullable=True, unknown="pass") for dtype in ("str", "string")),
    column("category", "object", known=TEXTS, nullable=True, null="none"),
    *(column("category", "category", known=known, levels=levels) for levels, known in LEVELS.items()),
    column("category", "category", known=TEXTS, levels="str", nullable=True, ordered=True),
    column("category", "category", levels="float64", nullable=True),
    *(
        column("category", "category", known=LEVELS[levels], levels=levels, unknown="pass")
        for levels in ("str", "int64", "float64")
    ),
    *(column("text", dtype) for dtype in ("U", "str", "string", "object")),
    *(column("text", dtype, nullable=True) for dtype in ("str", "string")),
    column("text", "object", nullable=True, null="none"),
]
EVERY_COLUMN = pytest.mark.parametrize("one", COLUMNS, ids=lambda one: one.name)
NUMERIC_COLUMNS = pytest.mark.parametrize(
    "one", [one for one in COLUMNS if one.kind in {"float", "integer"}], ids=lambda one: one.name
)

numbers = (
    st.integers(-200, 200)
    | st.integers(-(2**65), 2**65)
    | st.integers(-(10**66), 10**66)
    | st.integers(-200, 200).map(float)
    | st.floats()
)
_familiar = st.sampled_from(
    [*TEXTS, *INTEGERS, *FLOATS, *BOOLEANS, -1.0, 2, "nan", " -Infinity", "1.5", "\ud800", "a\0"]
)
_scalar = st.none() | st.booleans() | numbers | st.text(max_size=5) | _familiar
anything = st.recursive(
    _scalar, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner), max_leaves=4
)
"""Any value that JSON can bring, and some that it cannot."""


def fitting(one: Column) -> st.SearchStrategy[Any]:
    """Return a strategy of valid values of a column, None included if it is nullable."""
    absent = st.none() if one.nullable else st.nothing()
    if one.kind == "boolean":
        return absent | st.booleans()
    if one.kind == "category":
        strange = st.text() if one.unknown == "pass" and one.known == TEXTS else st.nothing()
        return absent | (st.sampled_from(one.known) if one.known else st.nothing()) | strange
    if one.kind == "text":
        return absent | st.text()
    if one.kind == "integer":
        low, high = bounds(one)
        return absent | st.integers(low, high) | st.sampled_from([low, high])
    width: Any = 8 * float_of(one).itemsize
    most = float(np.finfo(float_of(one)).max)
    return absent | st.floats(-most, most, width=width) | st.integers(-(10**4), 10**4)


def bounds(one: Column) -> tuple[int, int]:
    """Return the smallest and the largest integer of a column."""
    if one.dtype == "object":
        return 1 - 10**64, 10**64 - 1
    limits = np.iinfo(one.dtype.lower())
    return int(limits.min), int(limits.max)


def float_of(one: Column) -> np.dtype[Any]:
    """Return the numpy dtype that a column of floats rounds to."""
    return np.dtype("float64" if one.dtype == "object" else one.dtype.lower())


def is_good(one: Column, value: Any) -> bool:
    """Return whether the check should accept the value."""
    if value is None:
        return one.nullable
    if one.kind in {"boolean", "text"}:
        return type(value) is {"boolean": bool, "text": str}[one.kind]
    if isinstance(value, float) and value - value != 0:
        return False
    return _is_category(one, value) if one.kind == "category" else _is_number(one, value)


def _is_number(one: Column, value: Any) -> bool:
    if type(value) not in {int, float} or (type(value) is int and abs(value) >= 10**64):
        return False
    if one.kind == "integer":
        low, high = bounds(one)
        return bool(value == int(value) and low <= value <= high)
    with np.errstate(over="ignore"):
        return bool(np.isfinite(np.float64(value).astype(float_of(one))))


def _is_category(one: Column, value: Any) -> bool:
    kinds = set(map(type, one.known)) or {str}
    is_number = type(value) in {int, float} and (float in kinds or (int in kinds and value == int(value)))
    return (type(value) in kinds or is_number) and (value in one.known or one.unknown == "pass")


def cast(one: Column, value: Any) -> Any:
    """Return a valid value as the column stores it; None for a null."""
    if value is None or one.kind == "boolean":
        return value
    if one.dtype == "category":
        return next((known for known in one.known if known == value), None)
    if one.kind == "integer":
        return int(value)
    if one.kind == "float":
        return value if one.dtype == "object" else float(np.float64(value).astype(float_of(one)))
    # numpy drops NUL characters at the end of a text.
    return value.rstrip("\0") if one.dtype == "U" else value


@dataclass(frozen=True, slots=True)
class Checked:
    """The array of the valid values of a column, the mask of valid rows, and the faults of the others."""

    array: Any
    good: list[bool]
    faults: list[Fault]

    @property
    def values(self) -> list[Any]:
        """The valid values as Python objects; None for a null."""
        items = (value.item() if isinstance(value, np.generic) else value for value in self.array)
        return [None if pd.isna(value) else value for value in items]

    @property
    def mistakes(self) -> list[tuple[str, int]]:
        """The code of the fault and the number of each invalid row."""
        return [(fault.code, row) for fault in self.faults for row in fault.rows.tolist()]


def check(one: Column, cells: Sequence[object], *, max_digits: int = 64) -> Checked:
    """Check the values of one column."""
    array, faults = Check(one)(cells, max_digits=max_digits)
    good = np.ones(len(cells), dtype=bool)
    for fault in faults:
        good[fault.rows] = False
    return Checked(frames.cast(one, array[good]), good.tolist(), faults)
