"""Rows that nobody chose: drawn from what each column may hold, its nulls, its edges and what it has not met."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from artifacts.columns import Column
from artifacts.signature import Signature, Table

_SEED = 0
_STRANGE = 0.1
_NOTHING = 0.2
# What no training has seen and a caller may send all the same.
_EXTREMES = (0.0, -0.0, 5e-324, -1.0, 1e-30, 1e6, -1e6, 1e12)
# What no double holds: it would become its neighbour.
_LONG = (2**53 + 1, -(2**53) - 1)
_BENT = 8
_TOO_LARGE = (1e39, -1e39, 1e300, -1e300, 1e308)


def drawn(signature: Signature, rows: int, *, strange: bool = False, seed: int = _SEED) -> Table:
    """
    So many rows, each value drawn for itself: within the range of training, a little beyond, or null.

    Args:
        signature: Of the model.
        rows: How many.
        strange: Whether categories that no training had are among them, where they may be sent.
        seed: Of the draw.
    """
    draw = np.random.default_rng(seed)
    columns = [[_value(column, draw, strange=strange) for _ in range(rows)] for column in signature.columns]
    return signature.assemble(list(zip(*columns, strict=True)))


def extreme(signature: Signature) -> Table:
    """Rows with one odd number each: zeros of both signs, the smallest there is, integers at their bounds."""
    return signature.assemble(_bent(signature, range(len(signature.columns)), _extremes))


def too_large(signature: Signature) -> Table:
    """Rows with one number each that no single precision holds, at which some models refuse a row; in a few columns."""
    floats = [place for place, column in enumerate(signature.columns) if column.kind == "float"]
    chosen = np.unique(np.linspace(0, len(floats) - 1, min(_BENT, len(floats))).astype(int)).tolist()
    return signature.assemble(_bent(signature, [floats[place] for place in chosen], _largest))


def _bent(
    signature: Signature, places: Iterable[int], values_of: Callable[[Column], Sequence[Any]]
) -> Sequence[Sequence[Any]]:
    """Drawn rows, the first of them as it is, of the others each with one such value."""
    draw = np.random.default_rng(_SEED)
    rows = [[_value(column, draw) for column in signature.columns]]
    for place in places:
        for value in values_of(signature.columns[place]):
            row = [_value(column, draw) for column in signature.columns]
            row[place] = value
            rows.append(row)
    return rows


def _extremes(column: Column) -> list[Any]:
    if column.kind == "integer":
        low, high = _bounds(column)
        beside = [int(edge) + step for edge in (column.minimum or 0, column.maximum or 0) for step in (-1, 1)]
        return [value for value in (0, -1, 1, low, high, *_LONG, *beside) if low <= value <= high]
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


def _value(column: Column, draw: np.random.Generator, *, strange: bool = False) -> Any:
    if column.nullable and draw.random() < _NOTHING:
        return None
    if column.kind == "boolean":
        return bool(draw.random() < 0.5)
    if column.kind == "category":
        return _category(column, draw, strange=strange)
    if column.kind == "text":
        return "".join(draw.choice(list("abc xyz"), 8))
    return _number(column, draw)


def _category(column: Column, draw: np.random.Generator, *, strange: bool) -> Any:
    is_text = not column.known or isinstance(column.known[0], str)
    if strange and column.unknown == "pass" and is_text and draw.random() < _STRANGE:
        return "".join(draw.choice(list("abc xyz"), 8))
    return column.known[int(draw.integers(len(column.known)))] if column.known else None


def _number(column: Column, draw: np.random.Generator) -> Any:
    low, high = float(column.minimum or 0), float(column.maximum or 0)
    beyond = 0.1 * (high - low) or 1.0
    value = draw.uniform(low - beyond, high + beyond)
    if column.kind == "float":
        return float(np.float32(value)) if draw.random() < _STRANGE else float(value)
    least, most = _bounds(column)
    return min(max(round(value), least), most)
