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

# Each of these tests runs for every one of many columns, so few examples suffice.
few = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
many = settings(few, max_examples=300)


@EVERY_COLUMN
@few
@given(data=st.data())
def test_valid_values_become_an_array_of_the_column_dtype(one: Column, data: st.DataObject) -> None:
    """Values that a column holds are rounded only to its dtype, and cause no fault."""
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
    """For any JSON value, a row is either good or named by exactly one fault."""
    checked = check(one, cells)

    valid = [is_good(one, value) for value in cells]
    assert checked.good == valid
    assert sorted(row for _, row in checked.mistakes) == [row for row, good in enumerate(valid) if not good]
    good = [value for value, is_valid in zip(cells, valid, strict=True) if is_valid]
    assert list(map(repr, checked.values)) == [repr(cast(one, value)) for value in good]


@many
@given(one=st.sampled_from(COLUMNS), data=st.data())
def test_an_invalid_value_does_not_change_the_result_of_others(one: Column, data: st.DataObject) -> None:
    """An object at the end forces the value-by-value check, which agrees with the check of the whole array."""
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
def test_an_invalid_value_does_not_change_the_digit_limit(one: Column, cells: list[object], max_digits: int) -> None:
    """The check of the whole array and the value-by-value check have the same limit of digits."""
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
def test_a_fault_has_the_code_of_its_cause(one: Column, value: object, code: str) -> None:
    """Each invalid value has one fault, whose code shows the caller what to change."""
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
def test_extreme_values_of_a_dtype_are_valid(dtype: str, value: float) -> None:
    """The largest and smallest values that a column holds are cast to its dtype without loss."""
    checked = check(column("float" if dtype[0] == "f" else "integer", dtype), [value])

    assert checked.faults == []
    assert np.asarray(checked.array).tobytes() == np.array([value], dtype=dtype).tobytes()


def test_a_number_that_rounds_to_the_largest_float_is_valid() -> None:
    """A number just above the largest float32 becomes that float; one that would become infinite is out of range."""
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
def test_the_caller_sets_the_limit_of_digits(dtype: str, value: int, max_digits: int, code: str) -> None:
    """An integer with too many digits is a fault, also where floats are not exact or overflow."""
    checked = check(column("float" if dtype[0] == "f" else "integer", dtype), [1, value], max_digits=max_digits)

    assert checked.mistakes == [(code, 1)]


@pytest.mark.parametrize(
    ("one", "length"),
    [(column("text", "U"), 1024), (column("text", "U", minimum=1, maximum=2000), 2000), (column("text", "str"), 10**5)],
    ids=["array", "trained", "frame"],
)
def test_only_texts_in_numpy_arrays_have_a_longest_length(one: Column, length: int) -> None:
    """A numpy array stores each text in the width of the longest, so texts have a limit; other dtypes have none."""
    checked = check(one, ["a" * length, 1])

    assert checked.mistakes == [("not-a-text", 1)]
    assert list(map(len, checked.values)) == [length]


@pytest.mark.parametrize(("null", "value"), [("nan", np.nan), ("none", None)])
@pytest.mark.parametrize(("kind", "value_of"), [("float", 1.5), ("boolean", True), ("text", "a")])
def test_objects_keep_the_null_of_training(kind: str, value_of: object, null: str, value: object) -> None:
    """In a column of objects a null is NaN or None as in training, because scikit-learn treats the two differently."""
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
    """The message names at most eight categories, each truncated, with control characters escaped."""
    levels = "bool" if known == [True] else "str"
    one = column("category", "category", known=known, levels=levels)

    checked = check(one, [not known[0] if levels == "bool" else "blue"])

    assert checked.faults[0].message == "expected one of the categories that training saw" + listed
