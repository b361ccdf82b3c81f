"""The check of a value gives the same result whatever other values the column has."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from artifacts.columns import Column
from tests.support.column_samples import (
    COLUMNS,
    EVERY_COLUMN,
    NUMERIC_COLUMNS,
    anything,
    cast,
    check,
    column,
    fitting,
    is_good,
    numbers,
)

# There are many columns, and each of these tests is run for every one of them.
few = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
many = settings(few, max_examples=300)


@EVERY_COLUMN
@few
@given(data=st.data())
def test_what_fits_arrives_as_it_is(one: Column, data: st.DataObject) -> None:
    """Values that a column holds become an array of its very dtype, rounded to it and to nothing else; no fault."""
    cells = data.draw(st.lists(fitting(one), max_size=8))

    checked = check(one, cells)

    assert checked.faults == []
    assert list(map(repr, checked.values)) == [repr(cast(one, value)) for value in cells]
    assert checked.array.dtype == (one.level_dtype if one.dtype == "category" else one.dtype) or one.dtype == "U"
    assert one.dtype != "U" or checked.array.dtype.kind == "U"


@EVERY_COLUMN
@few
@given(cells=st.lists(anything, max_size=8))
def test_faults_name_exactly_the_bad_rows(one: Column, cells: list[object]) -> None:
    """Whatever JSON brings, a row is good exactly when its value is right; else one fault names it."""
    checked = check(one, cells)

    right = [is_good(one, value) for value in cells]
    assert checked.good == right
    assert sorted(row for _, row in checked.mistakes) == [row for row, good in enumerate(right) if not good]
    good = [value for value, is_right in zip(cells, right, strict=True) if is_right]
    assert list(map(repr, checked.values)) == [repr(cast(one, value)) for value in good]


@many
@given(one=st.sampled_from(COLUMNS), data=st.data())
def test_a_bad_neighbour_changes_nothing(one: Column, data: st.DataObject) -> None:
    """The quick way and the careful one agree: an object at the end, which forces the latter, leaves all as it was."""
    cells = data.draw(st.lists(fitting(one) | anything, max_size=6))
    alone = check(one, cells)

    together = check(one, [*cells, {}])

    assert together.good == [*alone.good, False]
    assert together.mistakes[:-1] == alone.mistakes or set(alone.mistakes) < set(together.mistakes)
    pd.testing.assert_series_equal(pd.Series(together.array), pd.Series(alone.array), check_exact=True)
    assert list(map(repr, together.values)) == list(map(repr, alone.values))


@NUMERIC_COLUMNS
@few
@given(cells=st.lists(numbers, max_size=6), max_digits=st.sampled_from([1, 2, 5, 23, 64, 400]))
def test_a_bad_neighbour_changes_no_limit(one: Column, cells: list[object], max_digits: int) -> None:
    """The longest integer is the same for all values at once and for each alone."""
    alone = check(one, cells, max_digits=max_digits)

    together = check(one, [*cells, "text"], max_digits=max_digits)

    assert together.good == [*alone.good, False]
    assert list(map(repr, together.values)) == list(map(repr, alone.values))


TEXTS = {"known": ["red", "green"]}


@pytest.mark.parametrize(
    ("one", "value", "code"),
    [
        (column("float", "float64"), None, "null"),
        (column("float", "float64"), "nan", "non-finite"),
        (column("float", "float64"), " -Infinity ", "non-finite"),
        (column("float", "Float64", nullable=True), float("nan"), "non-finite"),
        (column("float", "float64"), float("-inf"), "non-finite"),
        (column("float", "float64"), "1.5", "not-a-number"),
        (column("float", "float64"), True, "not-a-number"),
        (column("float", "float64"), [1.0], "not-a-number"),
        (column("float", "float64"), 10**64, "integer-too-long"),
        (column("float", "object"), -(10**400), "integer-too-long"),
        (column("float", "float32"), 1e39, "out-of-range"),
        (column("float", "Float32"), 10**39, "out-of-range"),
        (column("float", "float16"), 70000, "out-of-range"),
        (column("integer", "int64"), 1.5, "not-an-integer"),
        (column("integer", "int64"), 2**63, "out-of-range"),
        (column("integer", "Int64", nullable=True), 1e300, "out-of-range"),
        (column("integer", "object"), 10**64, "integer-too-long"),
        (column("integer", "object"), 1e64, "out-of-range"),
        (column("integer", "int8"), -129, "out-of-range"),
        (column("integer", "UInt8"), -1, "out-of-range"),
        (column("integer", "int8"), False, "not-a-number"),
        (column("boolean", "bool"), 1, "not-a-boolean"),
        (column("boolean", "boolean"), "true", "not-a-boolean"),
        (column("text", "str"), 1, "not-a-text"),
        (column("text", "U"), None, "null"),
        (column("text", "U"), "a" * 1025, "text-too-long"),
        (column("text", "U", minimum=1, maximum=2000), "a" * 2001, "text-too-long"),
        (column("category", "str", **TEXTS), "blue", "unknown-category"),
        (column("category", "str", **TEXTS), 1, "not-a-text"),
        (column("category", "str", **TEXTS, unknown="pass"), 1, "not-a-text"),
        (column("category", "category", known=[1, 2], levels="int64"), 3.0, "unknown-category"),
        (column("category", "category", known=[1, 2], levels="int64"), 1.5, "not-an-integer"),
        (column("category", "category", known=[1, 2], levels="int64"), True, "not-an-integer"),
        (column("category", "category", known=[0.5], levels="float64"), "0.5", "not-a-number"),
        (column("category", "category", known=[0.5], levels="float64", unknown="pass"), float("nan"), "non-finite"),
        (column("category", "category", known=[True], levels="bool"), 1, "not-a-boolean"),
        (column("category", "category", known=[True], levels="bool"), False, "unknown-category"),
    ],
    ids=lambda case: case.name if isinstance(case, Column) else str(case)[:9],
)
def test_each_mistake_has_its_code(one: Column, value: object, code: str) -> None:
    """A fault has one code, which shows the caller what to change."""
    checked = check(one, [value])

    assert [fault.column for fault in checked.faults] == [one.name]
    assert checked.mistakes == [(code, 0)]


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("float64", 10**64 - 1),
        ("float64", 1e308),
        ("float64", -0.0),
        ("float32", 3.4e38),
        ("int64", 2**63 - 1),
        ("int64", 7.0),
        ("uint64", 2**64 - 1),
        ("int8", -128),
    ],
)
def test_the_outermost_values_pass(dtype: str, value: float) -> None:
    """A value at the very edge of what a column holds is cast to its dtype, no digit lost."""
    checked = check(column("float" if dtype[0] == "f" else "integer", dtype), [value])

    assert checked.faults == []
    assert np.asarray(checked.array).tobytes() == np.array([value], dtype=dtype).tobytes()


def test_what_is_rounded_down_fits_beside_what_does_not() -> None:
    """A number a little beyond a narrow float becomes its largest; one that would become infinite is a mistake."""
    checked = check(column("float", "float32"), [3.4028235e38, 3.4028236e38, -3.4028235e38])

    assert checked.mistakes == [("out-of-range", 1)]
    assert np.asarray(checked.array).tolist() == [np.finfo("float32").max, np.finfo("float32").min]


@pytest.mark.parametrize(
    ("dtype", "value", "max_digits", "code"),
    [
        ("float64", 10**350, 400, "out-of-range"),
        ("float64", 10**23, 23, "integer-too-long"),
        ("int64", 100, 2, "integer-too-long"),
        ("Int64", -100, 2, "integer-too-long"),
    ],
)
def test_the_longest_integer_is_the_callers_to_set(dtype: str, value: int, max_digits: int, code: str) -> None:
    """A digit too many is a mistake at every limit, also beyond what floats hold and where they are not exact."""
    checked = check(column("float" if dtype[0] == "f" else "integer", dtype), [1, value], max_digits=max_digits)

    assert checked.mistakes == [(code, 1)]


@pytest.mark.parametrize(
    ("one", "length"),
    [(column("text", "U"), 1024), (column("text", "U", minimum=1, maximum=2000), 2000), (column("text", "str"), 10**5)],
    ids=["array", "trained", "frame"],
)
def test_a_text_has_room(one: Column, length: int) -> None:
    """In numpy's arrays each text takes the room of the longest, so there is a limit; elsewhere there is none."""
    checked = check(one, ["a" * length, 1])

    assert checked.mistakes == [("not-a-text", 1)]
    assert list(map(len, checked.values)) == [length]


@pytest.mark.parametrize(("null", "value"), [("nan", np.nan), ("none", None)])
@pytest.mark.parametrize(("kind", "value_of"), [("float", 1.5), ("boolean", True), ("text", "a")])
def test_objects_keep_the_null_of_training(kind: str, value_of: object, null: str, value: object) -> None:
    """Among objects a null is the NaN or the None of training: scikit-learn distinguishes them."""
    checked = check(column(kind, "object", nullable=True, null=null), [value_of, None])

    assert list(map(repr, checked.array)) == [repr(value_of), repr(value)]


@pytest.mark.parametrize(
    ("known", "listed"),
    [
        (["red", "green"], ": red, green"),
        ([True], ": true"),
        ([f"c{place}" for place in range(9)], ": c0, c1, c2, c3, c4, c5, c6, c7, ..."),
        (["x" * 50], ": " + "x" * 31 + "…"),
        (["a\nb\x1b"], r": a\nb\u001b"),
    ],
    ids=["texts", "boolean", "many", "long", "control"],
)
def test_the_fault_of_an_unknown_category_lists_the_known_ones(known: list[Any], listed: str) -> None:
    """The message names at most eight, each cut short, and no control character of theirs reaches a terminal."""
    levels = "bool" if known == [True] else "str"
    one = column("category", "category", known=known, levels=levels)

    checked = check(one, [not known[0] if levels == "bool" else "blue"])

    assert checked.faults[0].message == "expected one of the categories that training saw" + listed
