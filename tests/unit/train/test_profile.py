"""The description of a column by the training rows."""

import datetime as dt
import decimal
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifacts import Column
from artifacts.manifest import Distribution
from train.errors import NotPublishable
from train.profile import BINS, CATEGORY_SHARE, MOST_CATEGORIES, profile_column, profile_spread

floats = st.floats(allow_nan=True, allow_infinity=False)


def output(values: Any, **more: Any) -> Column:
    """The profile of a column called length."""
    series = pd.Series(values)
    return profile_column(series, name="length", dtype=str(series.dtype), **more)


def spread_of(values: Any) -> Distribution:
    """The spread of a column."""
    series = pd.Series(values)
    return profile_spread(series, output(series))


def objects(*values: Any) -> "pd.Series[Any]":
    """A column of whatever it is."""
    return pd.Series(values, dtype=object)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([2.5, 1.5, 9.0]), ("float", "float64", False, 1.5, 9.0, 2.5)),
        (np.array([0.1, 0.2], dtype="float32"), ("float", "float32", False, float(np.float32(0.1)))),
        (np.array([np.nan, 3.0]), ("float", "float64", True, 3.0, 3.0, 3.0)),
        (np.array([np.nan, np.nan]), ("float", "float64", True, None, None, None)),
        (np.array([7, -7], dtype="int8"), ("integer", "int8", False, -7, 7, 7)),
        (np.array([2**64 - 1, 0], dtype="uint64"), ("integer", "uint64", False, 0, 2**64 - 1, 2**64 - 1)),
        (pd.array([None, 2**53 + 1], dtype="Int64"), ("integer", "Int64", True, 2**53 + 1, 2**53 + 1, 2**53 + 1)),
        (pd.array([0.5, None], dtype="Float32"), ("float", "Float32", True, 0.5, 0.5, 0.5)),
        (pd.array([None, True], dtype="boolean"), ("boolean", "boolean", True, None, None, True)),
        (objects(2**63, -1), ("integer", "object", False, -1, 2**63, 2**63)),
        (objects(1, 2.5), ("float", "object", False, 1.0, 2.5, 1)),
        (objects(np.bool_(True), None), ("boolean", "object", True, None, None, True)),
        (pd.Series(["ab", "c"], dtype="str"), ("text", "str", False, 1, 2, "ab")),
        (pd.Series(["ab", None], dtype="string"), ("text", "string", True, 2, 2, "ab")),
        (objects(None, None), ("text", "object", True, None, None, "some text")),
        (pd.Categorical([None, 3], categories=[3, 1]), ("category", "category", True, None, None, 3)),
        (pd.Categorical([None]), ("category", "category", True, None, None, None)),
    ],
    ids=str.split(
        "float64 float32 holes only-holes int8 uint64 Int64 Float32 boolean integers numbers booleans "
        "str string only-nulls category no-category"
    ),
)
def test_a_column_is_described_exactly(values: Any, expected: tuple[object, ...]) -> None:
    """Kind, dtype, nulls, range and a first example are those of the data, integers to the last digit."""
    column = output(values)

    found = (column.kind, column.dtype, column.nullable, column.minimum, column.maximum, column.example)
    assert list(map(repr, found[: len(expected)])) == list(map(repr, expected))


@pytest.mark.parametrize(
    ("distinct", "each", "kind"),
    [
        (MOST_CATEGORIES, 2, "category"),
        (MOST_CATEGORIES + 1, 20, "text"),
        (1, 1, "text"),
        (1, 2, "category"),
        (3, 1 / CATEGORY_SHARE, "category"),
        (9, 1, "text"),
    ],
)
@pytest.mark.parametrize("dtype", ["str", "string", "object"])
def test_texts_that_come_back_are_categories(distinct: int, each: float, kind: str, dtype: str) -> None:
    """Up to a hundred different texts, each twice on average, are categories; more, or rarer ones, are text."""
    column = output(pd.Series([f"t{place}" for place in range(distinct)] * int(each), dtype=dtype))

    assert column.kind == kind
    assert len(column.categories) == (distinct if kind == "category" else 0)


def test_the_input_of_a_vectorizer_is_text() -> None:
    """Even few distinct texts are not categories if most_categories is 0."""
    assert output(["a", "b"] * 9, most_categories=0).kind == "text"


@pytest.mark.parametrize(
    ("values", "categories", "levels"),
    [
        (pd.Series(["b", "a", "b", "b"]), [("a", 1), ("b", 3)], ""),
        (objects("b", None, "b", np.str_("a"), "a"), [("a", 2), ("b", 2)], ""),
        (pd.Categorical(["b", "a", "b"], categories=["z", "b", "a"]), [("z", 0), ("b", 2), ("a", 1)], "str"),
        (pd.Categorical([3, None, 3], categories=[3, 1]), [(3, 2), (1, 0)], "int64"),
        (pd.Categorical([2.0, 0.5]), [(0.5, 1), (2.0, 1)], "float64"),
        (pd.Categorical([True, True]), [(True, 2)], "bool"),
        (pd.Series([1, 2], dtype="Int64").astype("category"), [(1, 1), (2, 1)], "Int64"),
        (pd.Series(["b", "a"], dtype="string").astype("category"), [("a", 1), ("b", 1)], "string"),
    ],
    ids=str.split("texts objects unobserved integers floats booleans Int64 string"),
)
def test_categories_are_counted(values: Any, categories: list[tuple[Any, int]], levels: str) -> None:
    """Texts are listed in their own order, the levels of pandas in theirs, including levels without rows."""
    column = output(values)

    assert [(repr(one.value), one.count) for one in column.categories] == [(repr(v), count) for v, count in categories]
    assert (column.levels, column.ordered, column.unknown) == (levels, False, "refuse")
    assert profile_spread(pd.Series(values), column).counts == tuple(count for _, count in categories)


def test_unknown_categories_may_pass_and_order_is_kept() -> None:
    """Pandas decides whether levels are ordered, and the publisher how unknown ones are handled."""
    column = output(pd.Categorical(["b"], categories=["b", "a"], ordered=True), unknown="pass")

    assert (column.ordered, column.unknown) == (True, "pass")


@pytest.mark.parametrize(
    ("values", "advice"),
    [
        (pd.to_datetime(["2026-01-01"]), "dtype datetime64.*: derive numbers from it before .* days since a date"),
        (pd.to_datetime(["2026-01-01"], utc=True), "dtype datetime64.*: derive numbers from it"),
        (pd.to_timedelta([1]), "dtype timedelta64.*: convert it to numbers"),
        (pd.period_range("2026", periods=2), "dtype period.*: convert it to numbers"),
        (pd.interval_range(0, 2), "dtype interval.*: convert it to numbers"),
        (pd.arrays.SparseArray([0.0, 1.0]), r"dtype Sparse.*: make it dense, \.sparse\.to_dense\(\)"),
        (np.array([1.5], dtype=">f4"), r"dtype >f4.*: convert it to native byte order, \.astype\('float32'\)"),
        ([1j], "dtype complex128.*: convert it to numbers"),
        (np.array([1], dtype=np.longdouble), "dtype float128.*: convert it to numbers"),
        (objects(b"a"), "holds bytes: convert it to one type"),
        (objects(decimal.Decimal(1)), "holds Decimal: convert it to one type"),
        (objects(dt.date(2026, 1, 1)), "holds date: convert it to one type"),
        (objects([1], [2]), "holds list: convert it to one type"),
        (objects(1, "a"), "holds int and str: convert it to one type"),
        (objects(1, True), "holds bool and int: convert it to one type"),
        (objects("a", None, np.nan), "holds both None and nan: use only one of them"),
        (objects("a", pd.NA), "holds <NA> among objects: replace it by None or NaN"),
        (objects(1, pd.NaT), "holds NaT among objects"),
        (pd.Categorical(["a", 1]), "has categories of int and str: convert them to texts, numbers or booleans"),
        (pd.Categorical([True, 2], categories=objects(True, 2)), "has categories of bool and int"),
        (pd.cut(pd.Series([1, 2, 3]), 2), "has categories of Interval"),
        (pd.Series(pd.to_datetime(["2026-01-01"])).astype("category"), "has categories of dtype datetime64"),
        (pd.Categorical([np.inf, 1.0]), "has an infinite category"),
        ([1.0, np.inf, np.nan], "holds an infinity, .* clip or drop it"),
        ([-np.inf], "holds an infinity"),
        (objects(10**400, 0.5), "holds an infinity"),
    ],
    ids=str.split(
        "datetime zoned timedelta period interval sparse big-endian complex longdouble bytes decimal date lists mixed "
        "bool-int two-nulls NA NaT mixed-levels bool-levels intervals dates inf-level inf minus-inf huge"
    ),
)
def test_a_column_that_callers_cannot_send_is_refused(values: Any, advice: str) -> None:
    """The message has the column, what it holds, and advice."""
    with pytest.raises(NotPublishable, match=f"^column 'length' (has dtype )?{advice.removeprefix('dtype ')}"):
        output(values)


@settings(deadline=None)
@given(values=st.lists(floats, min_size=1, max_size=60))
def test_every_row_is_counted_in_its_bin(values: list[float]) -> None:
    """Bin i holds values above edge i-1 and not above edge i, the outer bins are open, nulls are separate."""
    spread = spread_of(pd.Series(values, dtype="float64"))

    known = np.array([value for value in values if not math.isnan(value)])
    bounds = [-np.inf, *spread.edges, np.inf] if known.size else [-np.inf, np.inf]
    expected = [int(((known > low) & (known <= high)).sum()) for low, high in pairwise(bounds)]
    assert list(spread.counts) == expected
    assert spread.nulls == len(values) - known.size
    assert all(map(math.isfinite, spread.edges))


@settings(deadline=None)
@given(values=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=60))
def test_edges_ascend(values: list[int]) -> None:
    """There are at most ten bins, and no two edges are equal, however often a value is repeated."""
    edges = spread_of(pd.Series(values, dtype="int64")).edges

    assert 1 <= len(edges) < BINS
    assert list(edges) == sorted(set(edges))


@settings(deadline=None)
@given(values=st.lists(st.integers(0, 50), min_size=1, max_size=60))
def test_no_edge_is_a_value(values: list[int]) -> None:
    """The edges lie between the values; only the greatest value, which the range has anyway, may be an edge."""
    edges = spread_of(values).edges

    assert set(edges) & set(values) <= {max(values)}


@pytest.mark.parametrize(("rows", "counts"), [(100, (10,) * 10), (11, (2, *(1,) * 9)), (3, (1, 1, 1, 0)), (1, (1, 0))])
def test_bins_are_deciles(rows: int, counts: tuple[int, ...]) -> None:
    """A hundred distinct values fall into ten bins of ten; few values into as many bins, and none above."""
    assert spread_of(range(rows)).counts == counts


@pytest.mark.parametrize(
    ("values", "edges", "counts", "nulls"),
    [
        ([5.0] * 4, (5.0,), (4, 0), 0),
        ([0] * 95 + [1] * 5, (0.5,), (95, 5), 0),
        ([float("nan")] * 4, (), (0,), 4),
        ([-1.7e308, 1.7e308] * 5, (0.0, 1.7e308), (5, 5, 0), 0),
        (pd.Series(["a", "bb", None]), (1.5, 2.0), (1, 1, 0), 1),
        ([True, False, True], (), (1, 2), 0),
        (objects(True, None), (), (0, 1), 1),
    ],
    ids=str.split("constant rare holes huge texts booleans objects"),
)
def test_a_column_has_a_spread(values: Any, edges: tuple[float, ...], counts: tuple[int, ...], nulls: int) -> None:
    """A constant, a rare value, texts by their lengths, false and true, and nulls alone are counted too."""
    assert spread_of(values) == Distribution(edges=edges, counts=counts, nulls=nulls)
