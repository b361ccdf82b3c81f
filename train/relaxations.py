"""What callers may send though no row of X shows it, or leave out though X has it; proved by predicting."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from artifacts.columns import Column
from artifacts.features import first_step
from artifacts.predictions import Predictions
from artifacts.self_test import largest_difference
from train.errors import NotPublishable
from train.examples import Asked
from train.rows import Rows

# So many rows are sent with a null, or with other values in the columns that are ignored.
_ROWS = 100


def relaxed(rows: Rows, *, nullable: Sequence[str] = (), fractions: Sequence[str] = ()) -> Rows:
    """
    Give columns of whole numbers and of booleans a dtype that has room for nulls and fractions.

    Raises:
        NotPublishable: There is no such column, or it cannot hold what is asked for.
    """
    dtypes = {name: _dtype_with_room(rows, name, nullable, fractions) for name in (*nullable, *fractions)}
    changed = {name: dtype for name, dtype in dtypes.items() if str(rows.frame[name].dtype) != dtype}
    if not changed:
        return rows
    frame = rows.frame.astype(changed)
    if not isinstance(rows.data, pd.DataFrame):
        # An array has one dtype.
        return Rows(frame.to_numpy(), frame, given=rows.data)
    return Rows(frame, frame, given=rows.data if rows.given is None else rows.given)


def _dtype_with_room(rows: Rows, name: str, nullable: Sequence[str], fractions: Sequence[str]) -> str:
    if name not in rows.frame:
        option = "nullable" if name in nullable else "fractions"
        raise NotPublishable(f"{option} names {name!r}, and X has no such column")
    dtype = rows.frame[name].dtype
    if name in fractions and dtype.kind not in "iuf":
        raise NotPublishable(
            f"fractions names {name!r}, and its dtype is {dtype}: only whole numbers can get fractions"
        )
    if isinstance(rows.data, np.ndarray) and rows.data.dtype.kind == "U" and name in nullable:
        raise NotPublishable(f"column {name!r} is of an array of texts, which has no null: fit on a DataFrame")
    if isinstance(dtype, np.dtype) and dtype.kind in "iu":
        return "float64"
    if dtype.kind in "iu" and name in fractions:
        return "Float64"
    return "object" if dtype == np.dtype(bool) else str(dtype)


def with_nulls(columns: Sequence[Column], nullable: Sequence[str]) -> tuple[Column, ...]:
    """The same columns, of which these take nulls."""
    return tuple(
        column.model_copy(update={"nullable": True}) if column.name in nullable else column for column in columns
    )


def prove_relaxed(
    asked: Asked, table: Sequence[Sequence[Any]], *, nullable: Sequence[str], fractions: Sequence[str]
) -> None:
    """
    Show that the model predicts rows with a null, or with fractions, in these columns.

    Raises:
        NotPublishable: It does not.
    """
    first = [list(column[:_ROWS]) for column in table]
    for option, names, change in (("nullable", nullable, _nulled), ("fractions", fractions, _halved)):
        for name in dict.fromkeys(names):
            place = asked.signature.names.index(name)
            changed = [change(column) if place == other else column for other, column in enumerate(first)]
            try:
                answers = asked.answer(changed)
            except NotPublishable as error:
                raise NotPublishable(f"{option} names {name!r}, and {error}; impute it in the pipeline") from error
            if answers.invalid.any():
                raise NotPublishable(f"{option} names {name!r}, and for such rows the model predicts no finite number")


def _nulled(column: Sequence[Any]) -> list[Any]:
    return [None] * len(column)


def _halved(column: Sequence[Any]) -> list[Any]:
    return [value if value is None else value + 0.5 for value in column]


def not_required(asked: Asked, table: Sequence[Sequence[Any]], answers: Predictions) -> Asked:
    """
    Mark the columns that the pipeline ignores: callers may leave them out, and get the answers of their examples.

    What a ColumnTransformer drops and a selector leaves out at the front of a pipeline is ignored, if the answers stay
    the same with the columns' examples in place of their values, and with their values in another order.
    """
    signature = asked.signature
    places = _ignored(asked.estimator, len(signature.columns))
    if not places or len(places) == len(signature.columns):
        return asked
    expected = Predictions(answers.values, answers.probabilities, answers.label_map)
    filled = [
        [signature.columns[place].example] * len(column) if place in places else column
        for place, column in enumerate(table)
    ]
    turned = [[*column[1:], *column[:1]] if place in places else column for place, column in enumerate(table)]
    try:
        if not all(_same(asked.answer(changed), expected) for changed in (filled, turned)):
            return asked
    except NotPublishable:
        return asked
    columns = tuple(
        column.model_copy(update={"required": False}) if place in places else column
        for place, column in enumerate(signature.columns)
    )
    return replace(asked, signature=signature.model_copy(update={"columns": columns}))


def _same(got: Predictions, expected: Predictions) -> bool:
    if largest_difference(got.values, expected.values) != 0:
        return False
    if got.probabilities is None or expected.probabilities is None:
        return True
    return largest_difference(got.probabilities, expected.probabilities) == 0


def _ignored(model: Any, width: int) -> frozenset[int]:
    """The places of columns that nothing behind the front of a pipeline is handed."""
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
