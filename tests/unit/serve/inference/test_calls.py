"""Rows of requests as tables, and back."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from artifacts import Signature
from artifacts.signature import Columns
from serve.inference.calls import join, to_rows, to_table
from tests.support import tiny_models

MIXED = tiny_models.signature()
UNIFORM = Signature(container="array", columns=tuple(tiny_models.column(name, "float64") for name in "ab"))


@pytest.mark.parametrize("signature", [MIXED, UNIFORM], ids=["columns", "matrix"])
@pytest.mark.parametrize("tables", [(), (0,), (1,), (0, 1)], ids=str)
def test_requests_are_joined_in_order(signature: Signature, tables: tuple[int, ...]) -> None:
    """Each request may have its rows as lists or as a table."""
    requests: list[Any] = [[[0.5, 1], [1.5, 2]], [[2.5, 3]]]
    for place in tables:
        requests[place] = to_table(signature, requests[place])

    joined = join(signature, requests)

    assert to_rows(joined) == [[0.5, 1], [1.5, 2], [2.5, 3]]


def test_a_table_becomes_rows_of_native_values() -> None:
    """A NaN becomes None, which can be compared; lists are returned unchanged."""
    columns = Columns((np.array([1.5, np.nan]), np.array(["a", None], dtype=object)))
    rows: list[Sequence[Any]] = [[1.5, 2.0]]

    assert to_rows(columns) == [[1.5, "a"], [None, None]]
    assert to_rows(np.array(rows)) == rows
    assert to_rows(rows) is rows
