"""Rows that nothing was learned from: their nulls and categories, accepted where the estimator predicts them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from artifacts import Signature
from artifacts.columns import Category, Column, Scalar
from train.errors import NotPublishable
from train.examples import Asked
from train.rows import Rows


def widened(asked: Asked, rows: Rows, unlabelled: pd.DataFrame) -> Asked:
    """
    The same model with columns that accept the nulls and categories of other rows too, each tried by predicting.

    Args:
        asked: The model, with columns that accept what it was fitted on.
        rows: What it was fitted on.
        unlabelled: The other rows, with the same columns.

    Raises:
        NotPublishable: They have not the same columns.
    """
    missing = [name for name in asked.signature.names if name not in unlabelled]
    if missing:
        raise NotPublishable(f"unlabelled has no column {missing[0]!r}: it needs those of X")
    first = [column[0] for column in rows.take(np.array([0])).values()]
    for place, column in enumerate(asked.signature.columns):
        for values in _new_values(column, unlabelled[column.name]):
            columns = list(asked.signature.columns)
            columns[place] = _wider(columns[place], values)
            signature = Signature.model_validate({**dict(asked.signature), "columns": tuple(columns)})
            table: list[list[object]] = [[value] * len(values) for value in first]
            table[place] = list(values)
            wider = replace(asked, signature=signature)
            asked = wider if _predicts(wider, table) else asked
    return asked


def _new_values(column: Column, values: "pd.Series[Any]") -> Iterator[list[Scalar]]:
    """What a column does not accept yet: a null, then categories."""
    known = values.dropna()
    if len(known) < len(values) and not column.nullable:
        yield [None]
    if column.kind != "category" or column.unknown != "refuse" or column.dtype == "category":
        return
    new = set(known.tolist()) - set(column.known)
    if new:
        yield sorted(new, key=str)


def _wider(column: Column, values: list[Scalar]) -> Column:
    fields = column.model_dump()
    levels = [value for value in values if value is not None]
    if len(levels) < len(values):
        fields["nullable"] = True
        # What can hold a null: pandas makes floats of integers with nulls, and objects of booleans.
        fields |= {"i": {"kind": "float", "dtype": "float64"}, "b": {"dtype": "object"}}.get(_kind(column), {})
    fields["categories"] = (*column.categories, *(Category(value=level, count=0) for level in levels))
    return Column.model_validate(fields)


def _kind(column: Column) -> str:
    """The kind of a numpy dtype that holds no null, unsigned integers among the integers; nothing for others."""
    is_numpy = column.dtype.islower() and column.dtype not in {"object", "category", "str", "string", "boolean"}
    return np.dtype(column.dtype).kind.replace("u", "i") if is_numpy else ""


def _predicts(asked: Asked, table: list[list[object]]) -> bool:
    try:
        return not asked.answer(table).invalid.any()
    except NotPublishable:
        return False
