"""Rows without a usable target: their nulls and categories are accepted where the estimator predicts them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from artifacts import Signature
from artifacts.columns import Category, Column, Scalar
from train.errors import NotPublishable
from train.fitted_model import FittedModel
from train.rows import Rows


def widened(model: FittedModel, rows: Rows, unlabelled: pd.DataFrame) -> FittedModel:
    """
    Let columns accept the nulls and categories of other rows too, where the estimator predicts a row with them.

    Args:
        model: Its columns accept what it was fitted on.
        rows: What it was fitted on.
        unlabelled: The other rows, with the same columns.

    Raises:
        NotPublishable: A column is missing in them.
    """
    missing = [name for name in model.signature.names if name not in unlabelled]
    if missing:
        raise NotPublishable(f"unlabelled has no column {missing[0]!r}: it needs those of X")
    first = [column[0] for column in rows.take(np.array([0])).values()]
    for place, column in enumerate(model.signature.columns):
        for values in _new_values(column, unlabelled[column.name]):
            columns = list(model.signature.columns)
            columns[place] = _wider(columns[place], values)
            signature = Signature.model_validate({**dict(model.signature), "columns": tuple(columns)})
            table: list[list[object]] = [[value] * len(values) for value in first]
            table[place] = list(values)
            wider = replace(model, signature=signature)
            model = wider if _can_predict(wider, table) else model
    return model


def _new_values(column: Column, values: "pd.Series[Any]") -> Iterator[list[Scalar]]:
    """Yield what a column does not accept yet: a null, then categories."""
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
        # A dtype that holds nulls: as pandas does, floats for integers with nulls, and objects for booleans.
        fields |= {"i": {"kind": "float", "dtype": "float64"}, "b": {"dtype": "object"}}.get(_numpy_kind(column), {})
    fields["categories"] = (*column.categories, *(Category(value=level, count=0) for level in levels))
    return Column.model_validate(fields)


def _numpy_kind(column: Column) -> str:
    """Return the kind of a numpy dtype that holds no null, `i` for unsigned integers too; an empty text for others."""
    is_numpy = column.dtype.islower() and column.dtype not in {"object", "category", "str", "string", "boolean"}
    return np.dtype(column.dtype).kind.replace("u", "i") if is_numpy else ""


def _can_predict(model: FittedModel, table: list[list[object]]) -> bool:
    try:
        return not model.predict(table).invalid.any()
    except NotPublishable:
        return False
