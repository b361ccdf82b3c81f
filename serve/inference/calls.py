"""The rows that one caller wants predicted, and the tables that models predict."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

from artifacts.signature import Columns, Signature, Table, concatenated
from serve.dialects.native.fast_decoder import Rows
from serve.inference.registry import LoadedModel


class Call(NamedTuple):
    """
    Rows to predict, for one caller.

    Attributes:
        model: The version that predicts them.
        rows: Valid rows: native values in the model's order, or a table.
        probabilities: Whether a classifier's probabilities are wanted.
    """

    model: LoadedModel
    rows: Rows
    caller: str = ""
    request_id: str = ""
    probabilities: bool = True


def to_table(signature: Signature, rows: Rows) -> Table:
    """Return rows as a table."""
    return signature.assemble(rows) if isinstance(rows, list) else rows


def join(signature: Signature, requests: Sequence[Rows]) -> Table:
    """Return the rows of all requests as one table."""
    lists = [rows for rows in requests if isinstance(rows, list)]
    if len(lists) == len(requests):
        return signature.assemble(list(chain.from_iterable(lists)))
    return concatenated([to_table(signature, rows) for rows in requests])


def to_rows(rows: Rows) -> list[Sequence[Any]]:
    """Return rows or a table as lists of native values, which can be compared: a NaN becomes None."""
    if isinstance(rows, list):
        return rows
    if isinstance(rows, Columns):
        lists = list(zip(*(array.tolist() for array in rows.arrays), strict=True))
    else:
        lists = rows.tolist()
    # A NaN is not equal to itself.
    return [[None if value != value else value for value in row] for row in lists]  # noqa: PLR0124
