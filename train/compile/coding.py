"""Replay encoders by look-up tables: each possible value, with the numbers that the fitted encoder makes of it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)

from artifacts.columns import Column
from artifacts.runtimes.steps import Beside, Binned, Coded
from train.compile.errors import NotLowered
from train.compile.sources import Source

ENCODERS = (OneHotEncoder, OrdinalEncoder, TargetEncoder)
# What may be in a pipeline with an encoder: each transforms every column separately into one.
_BESIDE = (SimpleImputer, StandardScaler, MinMaxScaler, MaxAbsScaler)
_UNKNOWN = "no category of any table"


def coded(transformer: Any, source: Source) -> Source:
    """
    Replay an encoder, or a pipeline around one, over columns of the table.

    Raises:
        NotLowered: It contains no encoder, or a step that does not transform every column separately.
    """
    encoder, widths = _examined(transformer, source.width)
    if any(column.kind == "float" for column in source.columns):
        raise NotLowered("cannot compile an encoder over fractions together with texts or long integers")
    known = [_values(encoder, place, column.known) for place, column in enumerate(source.columns)]
    made = _made(transformer, source, known)
    is_open = any(column.unknown == "pass" or column.kind in {"text", "integer"} for column in source.columns)
    strange, is_strict = _unknown(transformer, source, known)
    if is_strict and not is_open:
        strange, is_strict = np.zeros(sum(widths)), False
    nothing = _null(transformer, source, known, sum(widths))
    starts = np.cumsum([0, *widths])
    parts = []
    for place, values in enumerate(known):
        part = slice(starts[place], starts[place + 1])
        table = np.vstack([made[: len(values), part], nothing[part], strange[part]])
        parts.append(Coded(source.places[place], tuple(values), table, is_strict))
    return Source(sum(widths), (parts[0] if len(parts) == 1 else Beside(tuple(parts)),))


def binned(encoder: Any, source: Source) -> Source:
    """
    Replay an encoder over columns of numbers.

    Raises:
        NotLowered: It does not encode every column separately.
    """
    _, widths = _examined(encoder, source.width)
    known = [
        np.array([value for value in values if not np.isnan(value)], dtype=float) for values in encoder.categories_
    ]
    most = max(map(len, known), default=0)
    if not all(map(len, known)):
        raise NotLowered(f"{_name(encoder)} knows no value of a column")
    rows = np.array([[values[row % len(values)] for values in known] for row in range(most)])
    made = _dense(encoder.transform(rows))
    nothing = _dense(_if_taken(encoder, np.full((1, len(known)), np.nan), sum(widths)))[0]
    try:
        strange, is_strict = _dense(encoder.transform(np.full((1, len(known)), 1e18 + 0.5)))[0], False
    except ValueError:
        strange, is_strict = np.full(sum(widths), np.nan), True
    starts = np.cumsum([0, *widths])
    tables = [
        np.vstack([made[: len(values), start:stop], nothing[start:stop], strange[start:stop]])
        for values, start, stop in zip(known, starts, starts[1:], strict=False)
    ]
    return source.then(Binned(tuple(known), tuple(tables), is_strict), sum(widths))


def _examined(transformer: Any, columns: int) -> tuple[Any, list[int]]:
    """Return the encoder, and how many columns it makes of each."""
    steps = [step for _, step in transformer.steps] if isinstance(transformer, Pipeline) else [transformer]
    encoders = [step for step in steps if isinstance(step, ENCODERS)]
    others = [step for step in steps if not isinstance(step, (*ENCODERS, *_BESIDE))]
    if others or len(encoders) != 1:
        raise NotLowered(f"cannot compile {_name(others[0] if others else steps[-1])} over texts and categories")
    if any(not _is_null(getattr(step, "missing_values", None)) for step in steps):
        raise NotLowered("cannot compile missing values that are not null, over texts and categories")
    if any(getattr(step, "add_indicator", False) for step in steps):
        raise NotLowered("cannot compile add_indicator over texts and categories")
    encoder = encoders[0]
    if isinstance(encoder, OneHotEncoder):
        return encoder, list(encoder._n_features_outs)  # noqa: SLF001  # it reflects drop and infrequent categories
    if isinstance(encoder, TargetEncoder) and encoder.target_type_ == "multiclass":
        raise NotLowered("cannot compile TargetEncoder for several classes")
    return encoder, [1] * columns


def _is_null(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value))


def _values(encoder: Any, place: int, known: Sequence[Any]) -> list[Any]:
    learned = [value for value in np.asarray(encoder.categories_[place]).tolist() if not pd.isna(value)]
    return list(dict.fromkeys([*known, *learned]))


def _made(transformer: Any, source: Source, known: Sequence[Sequence[Any]]) -> NDArray[Any]:
    """Return the numbers for each value of each column; shorter lists are repeated."""
    most = max(map(len, known))
    if not all(map(len, known)):
        raise NotLowered("a column has no known value")
    return _transformed(transformer, source, [[values[row % len(values)] for row in range(most)] for values in known])


def _unknown(transformer: Any, source: Source, known: Sequence[Sequence[Any]]) -> tuple[NDArray[Any], bool]:
    """Return the numbers for an unknown value, and whether the encoder refuses it."""
    cells = [[_strange(column, values)] for column, values in zip(source.columns, known, strict=True)]
    try:
        return _transformed(transformer, source, cells)[0], False
    except ValueError:
        width = len(_transformed(transformer, source, [[values[0]] for values in known])[0])
        return np.full(width, np.nan), True


def _strange(column: Column, values: Sequence[Any]) -> Any:
    """Return an unknown value, if there can be one."""
    if column.kind == "boolean":
        return values[0]
    return _UNKNOWN if isinstance(values[0], str) else max(values) + 1


def _null(transformer: Any, source: Source, known: Sequence[Sequence[Any]], width: int) -> NDArray[Any]:
    cells = [
        [None if column.nullable or column.unknown == "pass" else values[0]]
        for column, values in zip(source.columns, known, strict=True)
    ]
    try:
        return np.asarray(_transformed(transformer, source, cells)[0])
    except (ValueError, TypeError) as error:
        if all(not column.nullable for column in source.columns):
            return np.full(width, np.nan)
        raise NotLowered(f"{_name(transformer)} refuses a null") from error


def _transformed(transformer: Any, source: Source, cells: Sequence[Sequence[Any]]) -> NDArray[Any]:
    assert source.signature is not None
    table = source.signature.assemble(list(zip(*cells, strict=True)))
    made: Any = transformer.transform(source.signature.as_fitted(table))
    return _dense(made)


def _if_taken(encoder: Any, rows: NDArray[Any], width: int) -> Any:
    try:
        return encoder.transform(rows)
    except ValueError:
        return np.full((len(rows), width), np.nan)


def _dense(made: Any) -> NDArray[Any]:
    return np.asarray(made.toarray() if hasattr(made, "toarray") else made, dtype=np.float64)


def _name(transformer: Any) -> str:
    return type(transformer).__name__
