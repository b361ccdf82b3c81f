"""What callers may send although no row of X shows it, or omit although X has it; each is proved by predicting."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from artifacts.features import first_step
from artifacts.predictions import Predictions
from train.errors import NotPublishable
from train.fitted_model import FittedModel
from train.round_trip import prediction_difference
from train.rows import Rows

# So many rows are sent with a null or a fraction.
_ROWS = 100


def relaxed(rows: Rows, *, nullable: Sequence[str] = (), fractions: Sequence[str] = ()) -> Rows:
    """
    Cast columns of integers and booleans to a dtype that can hold nulls and fractions.

    Raises:
        NotPublishable: There is no such column, or none of its dtypes can hold them.
    """
    dtypes = {name: _wider_dtype(rows, name, nullable, fractions) for name in (*nullable, *fractions)}
    changed = {name: dtype for name, dtype in dtypes.items() if str(rows.frame[name].dtype) != dtype}
    if not changed:
        return rows
    frame = rows.frame.astype(changed)
    if not isinstance(rows.data, pd.DataFrame):
        # An array has one dtype.
        return Rows(frame.to_numpy(), frame, given=rows.data)
    return Rows(frame, frame, given=rows.data if rows.given is None else rows.given)


def _wider_dtype(rows: Rows, name: str, nullable: Sequence[str], fractions: Sequence[str]) -> str:
    if name not in rows.frame:
        option = "nullable" if name in nullable else "fractions"
        raise NotPublishable(f"{option} names {name!r}, and X has no such column")
    dtype = rows.frame[name].dtype
    if name in fractions and dtype.kind not in "iuf":
        raise NotPublishable(f"fractions names {name!r}, and its dtype is {dtype}: only integers can get fractions")
    if isinstance(rows.data, np.ndarray) and rows.data.dtype.kind == "U" and name in nullable:
        raise NotPublishable(f"column {name!r} is of an array of texts, which cannot hold a null: fit on a DataFrame")
    if isinstance(dtype, np.dtype) and dtype.kind in "iu":
        return "float64"
    if dtype.kind in "iu" and name in fractions:
        return "Float64"
    return "object" if dtype == np.dtype(bool) else str(dtype)


def prove_relaxed(
    model: FittedModel, table: Sequence[Sequence[Any]], *, nullable: Sequence[str], fractions: Sequence[str]
) -> None:
    """
    Show that the model predicts rows with a null, or with fractions, in these columns.

    Args:
        model: Its columns accept them.
        table: Rows to change, one list of native values per column.
        nullable: Columns to try with nulls.
        fractions: Columns to try with fractions.

    Raises:
        NotPublishable: It does not.
    """
    first = [list(column[:_ROWS]) for column in table]
    for option, names, change in (("nullable", nullable, _to_nulls), ("fractions", fractions, _to_fractions)):
        for name in dict.fromkeys(names):
            changed = list(first)
            place = model.signature.names.index(name)
            changed[place] = change(first[place])
            try:
                predictions = model.predict(changed)
            except NotPublishable as error:
                raise NotPublishable(f"{option} names {name!r}, and {error}; impute it in the pipeline") from error
            if predictions.invalid.any():
                raise NotPublishable(f"{option} names {name!r}, and for such rows the model predicts no finite number")


def _to_nulls(column: Sequence[Any]) -> list[Any]:
    return [None] * len(column)


def _to_fractions(column: Sequence[Any]) -> list[Any]:
    return [value if value is None else value + 0.5 for value in column]


def not_required(model: FittedModel, table: Sequence[Sequence[Any]], expected: Predictions) -> FittedModel:
    """
    Mark the columns that the pipeline ignores: callers may omit them, and get the predictions for their examples.

    A column that a ColumnTransformer drops, or a selector does not select, at the front of a pipeline is ignored if the
    predictions stay equal with the column's example in place of its values, and with its values in another order.
    """
    columns = model.signature.columns
    places = _ignored(model.estimator, len(columns))
    if not places or len(places) == len(columns):
        return model
    filled, rotated = list(table), list(table)
    for place in places:
        filled[place] = [columns[place].example] * len(table[place])
        rotated[place] = [*table[place][1:], *table[place][:1]]
    try:
        if any(prediction_difference(model.predict(changed), expected) != 0 for changed in (filled, rotated)):
            return model
    except NotPublishable:
        return model
    marked = [
        column.model_copy(update={"required": False}) if place in places else column
        for place, column in enumerate(columns)
    ]
    return replace(model, signature=model.signature.with_columns(marked))


def _ignored(model: Any, width: int) -> frozenset[int]:
    """Return the places of the columns that the first step of a pipeline passes to no other step."""
    step = first_step(model)
    if step is not model:
        return _ignored(step, width)
    if hasattr(model, "transformers_"):
        places = model._transformer_to_input_indices  # noqa: SLF001  # names, masks and slices are resolved there
        used = {place for name, part, _ in model.transformers_ if part != "drop" for place in places[name]}
    elif hasattr(model, "get_support") and hasattr(model, "transform"):
        used = set(np.flatnonzero(model.get_support()).tolist())
    else:
        return frozenset()
    return frozenset(range(width)) - used
