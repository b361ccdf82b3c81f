"""Random and extreme rows: values that callers may send in each column, with nulls and unknown categories."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artifacts.columns import Column
from artifacts.signature import Signature, Table
from artifacts.values import Array, builder

_SEED = 0
_STRANGE = 0.1
_NOTHING = 0.2
# Numbers that training hardly has, and callers may send.
_EXTREMES = (0.0, -0.0, 5e-324, -1.0, 1e-30, 1e6, -1e6, 1e12)
# Integers that a double cannot represent.
_LONG = (2**53 + 1, -(2**53) - 1)
# With up to so many columns each has a row per extreme; with more columns, several share a row.
_GROUPS = 32
_BENT = 8
_TOO_LARGE = (1e39, -1e39, 1e300, -1e300, 1e308)
_LETTERS = np.array(list("abc xyz"))
_TEXT_LENGTH = 8


def drawn(signature: Signature, rows: int, *, strange: bool = False, seed: int = _SEED) -> Table:
    """
    Return random rows, each value drawn independently: within the range of training, slightly beyond, or null.

    Args:
        signature: The columns of the model.
        rows: How many.
        strange: Whether unknown categories are among them, in columns that pass them.
        seed: Of the random generator.
    """
    draw = np.random.default_rng(seed)
    return signature.table([_values(column, draw, rows, strange=strange) for column in signature.columns])


def extreme(signature: Signature) -> Table:
    """
    Return rows with extreme numbers: zeros of both signs, the smallest number, integers at their bounds.

    Every extreme of every column is in one row. Up to 32 columns of numbers, a row has one extreme; more columns are
    divided into 32 groups, by kind, and a row has an extreme in each column of a group: so the number of rows does
    not grow with the columns.
    """
    places = [place for place, column in enumerate(signature.columns) if _extremes(column)]
    # Sorted by kind: a row that fails because of its integers must not hide how its fractions are predicted.
    places.sort(key=lambda place: signature.columns[place].kind)
    groups = np.array_split(np.array(places, dtype=np.intp), min(_GROUPS, len(places))) if places else []
    return _bent(signature, [group.tolist() for group in groups], _extremes)


def too_large(signature: Signature) -> Table:
    """Return rows with a number beyond single precision, which some models refuse, in each of a few columns."""
    floats = [place for place, column in enumerate(signature.columns) if column.kind == "float"]
    chosen = np.unique(np.linspace(0, len(floats) - 1, min(_BENT, len(floats))).astype(int)).tolist()
    return _bent(signature, [[floats[place]] for place in chosen], _largest)


def _bent(signature: Signature, groups: Sequence[Sequence[int]], values_of: Callable[[Column], Sequence[Any]]) -> Table:
    """Return random rows; all except the first have one of the values in every column of a group."""
    values = [[values_of(signature.columns[place]) for place in group] for group in groups]
    starts = np.cumsum([1, *(max(map(len, each), default=0) for each in values)]).tolist()
    draw = np.random.default_rng(_SEED)
    arrays = [_values(column, draw, starts[-1]) for column in signature.columns]
    for group, start, each in zip(groups, starts, values, strict=False):
        for place, extremes in zip(group, each, strict=True):
            for row, value in enumerate(extremes, start):
                arrays[place][row] = value
    return signature.table(arrays)


def _extremes(column: Column) -> list[Any]:
    if column.kind == "integer":
        low, high = _bounds(column)
        neighbours = [int(edge) + step for edge in (column.minimum or 0, column.maximum or 0) for step in (-1, 1)]
        return [value for value in (0, -1, 1, low, high, *_LONG, *neighbours) if low <= value <= high]
    if column.kind != "float":
        return []
    return [value for value in _EXTREMES if abs(value) <= _most(column)]


def _largest(column: Column) -> list[Any]:
    return [value for value in _TOO_LARGE if abs(value) <= _most(column)]


def _most(column: Column) -> float:
    return float(np.finfo(column.dtype.lower() if column.dtype != "object" else "float64").max)


def _bounds(column: Column) -> tuple[int, int]:
    limits = np.iinfo("int64" if column.dtype == "object" else column.dtype.lower())
    return int(limits.min), int(limits.max)


def _values(column: Column, draw: np.random.Generator, rows: int, *, strange: bool = False) -> Array:
    """Return shape (rows,), values of one column, cast as for a request."""
    values = _drawn(column, draw, rows, strange=strange)
    if column.nullable:
        values = values.astype(object)
        values[draw.random(rows) < _NOTHING] = None
    return builder(column)(values.tolist())


def _drawn(column: Column, draw: np.random.Generator, rows: int, *, strange: bool) -> NDArray[Any]:
    if column.kind == "boolean":
        return draw.random(rows) < 0.5
    if column.kind == "category":
        return _categories(column, draw, rows, strange=strange)
    if column.kind == "text":
        return _texts(draw, rows)
    return _numbers(column, draw, rows)


def _categories(column: Column, draw: np.random.Generator, rows: int, *, strange: bool) -> NDArray[Any]:
    known = np.empty(max(1, len(column.known)), dtype=object)
    known[: len(column.known)] = column.known
    values: NDArray[Any] = known[draw.integers(len(known), size=rows)]
    is_text = not column.known or isinstance(column.known[0], str)
    if strange and column.unknown == "pass" and is_text:
        values = np.where(draw.random(rows) < _STRANGE, _texts(draw, rows), values)
    return values


def _texts(draw: np.random.Generator, rows: int) -> NDArray[Any]:
    texts: NDArray[Any] = np.empty(rows, dtype=object)
    texts[:] = ["".join(letters) for letters in draw.choice(_LETTERS, (rows, _TEXT_LENGTH)).tolist()]
    return texts


def _numbers(column: Column, draw: np.random.Generator, rows: int) -> NDArray[Any]:
    low, high = float(column.minimum or 0), float(column.maximum or 0)
    beyond = 0.1 * (high - low) or 1.0
    values = draw.uniform(low - beyond, high + beyond, rows)
    if column.kind == "float":
        with np.errstate(over="ignore"):
            single = values.astype(np.float32)
        is_single = (draw.random(rows) < _STRANGE) & np.isfinite(single)
        return np.where(is_single, single.astype(np.float64), values)
    least, most = _bounds(column)
    # Integers beyond 2**53 are exact only in Python.
    return np.array([min(max(round(value), least), most) for value in values.tolist()], dtype=object)
