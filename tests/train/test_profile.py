"""What training saw, told without loss."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train.errors import NotPublishable
from train.profile import BINS, profile_column, profile_spread

floats = st.floats(-1e300, 1e300) | st.just(float("nan"))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([2.5, 1.5, 9.0]), ("float", "float64", False, 1.5, 9.0, 2.5)),
        (np.array([0.1, 0.2], dtype="float32"), ("float", "float32", False, float(np.float32(0.1)))),
        (np.array([np.nan, 3.0]), ("float", "float64", True, 3.0, 3.0, 3.0)),
        (np.array([np.nan, np.nan]), ("float", "float64", True, None, None, None)),
        (np.array([7, -7], dtype="int8"), ("integer", "int8", False, -7, 7, 7)),
        (np.array([2**64 - 1, 0], dtype="uint64"), ("integer", "uint64", False, 0, 2**64 - 1, 2**64 - 1)),
    ],
    ids=["float64", "float32", "holes", "only holes", "int8", "uint64"],
)
def test_a_column_is_told_as_it_was(values: Any, expected: tuple[object, ...]) -> None:
    """Kind, dtype, nulls, range and a first example are those of the data, integers to the last digit."""
    column = profile_column("length", pd.Series(values))

    told = (column.kind, column.dtype, column.nullable, column.minimum, column.maximum, column.example)
    assert told[: len(expected)] == expected


@pytest.mark.parametrize(
    "values",
    [
        pd.Series(["a", "b"]),
        pd.Series([True, False]),
        pd.Series([1, None], dtype="Int64"),
        pd.Series(["a", "b"], dtype="category"),
        pd.Series([1.0, "x"], dtype="object"),
        pd.Series(pd.to_datetime(["2026-01-01"])),
        pd.Series([1j]),
    ],
    ids=lambda values: str(values.dtype),
)
def test_a_column_that_is_not_numeric_is_refused_by_name(values: "pd.Series[Any]") -> None:
    """The message names the column and its dtype, and says what to do."""
    with pytest.raises(NotPublishable, match=r"^column 'length' has dtype .*: encode it before the estimator sees it$"):
        profile_column("length", values)


@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
def test_an_infinity_is_refused_by_name(value: float) -> None:
    """JSON has no infinity: a model that learnt from one could not be asked about it."""
    with pytest.raises(NotPublishable, match=r"column 'length' holds an infinity: .* clip or drop it"):
        profile_column("length", pd.Series([1.0, value, float("nan")]))


@settings(deadline=None)
@given(values=st.lists(floats, min_size=1, max_size=60))
def test_every_row_is_counted_in_its_bin(values: list[float]) -> None:
    """Bin i holds what lies above edge i-1 and not above edge i, the outer bins are open, nulls stand apart."""
    spread = profile_spread(pd.Series(values, dtype="float64"))

    known = np.array([value for value in values if not math.isnan(value)])
    bounds = [-np.inf, *spread.edges, np.inf] if known.size else [-np.inf, np.inf]
    expected = [int(((known > low) & (known <= high)).sum()) for low, high in pairwise(bounds)]
    assert list(spread.counts) == expected
    assert spread.nulls == len(values) - known.size
    assert sum(spread.counts) + spread.nulls == len(values)


@settings(deadline=None)
@given(values=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=60))
def test_edges_ascend(values: list[int]) -> None:
    """There are at most ten bins, and no two edges are equal, however often a value is repeated."""
    edges = profile_spread(pd.Series(values, dtype="int64")).edges

    assert 1 <= len(edges) < BINS
    assert list(edges) == sorted(set(edges))


def test_bins_are_deciles() -> None:
    """A hundred different values fall into ten bins of ten."""
    spread = profile_spread(pd.Series(range(100)))

    assert spread.counts == (10,) * 10


@pytest.mark.parametrize(("value", "counts"), [(5.0, (4, 0)), (float("nan"), (0,))])
def test_a_column_of_one_value_has_a_spread(value: float, counts: tuple[int, ...]) -> None:
    """A constant column, or one of nulls alone, is counted too."""
    assert profile_spread(pd.Series([value] * 4)).counts == counts
