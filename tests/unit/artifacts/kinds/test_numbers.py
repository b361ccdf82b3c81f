"""Columns of numbers: which numbers fit, what is wrong with the others, and the bounds of fast decoding."""

import math
from typing import Any

import numpy as np
import pytest

from artifacts.columns import Column
from artifacts.kinds import kind_of
from artifacts.kinds.base import Wrong
from artifacts.kinds.numbers import EXACT, NumberKind, non_finite, whole
from artifacts.number_formats import FloatLiteral, NumberFormat
from tests.support.column_samples import column

NO_NULL = ": for a missing value send null where the model takes nulls; this column takes none"
SEND_NULL = ": send null for a missing value, in a CSV an empty cell"


@pytest.mark.parametrize(
    ("one", "value", "expected"),
    [
        (column("float", "float64"), "x", Wrong("not-a-number")),
        (column("float", "float64"), "1,5", Wrong("not-a-number", ": write a decimal point, not a comma")),
        (column("float", "float64"), " -Infinity ", Wrong("non-finite")),
        (column("float", "float64"), "NaN", Wrong("non-finite", NO_NULL)),
        (column("float", "float32"), 1e39, Wrong("out-of-range")),
        (column("float", "float32"), 10**400, Wrong("integer-too-long")),
        (column("float", "object"), 1e300, 1e300),
        (column("float", "float64"), True, Wrong("not-a-number")),
        (column("float", "float64"), [], Wrong("not-a-number")),
        (column("float", "float64"), float("inf"), Wrong("non-finite")),
        (column("float", "float64"), 3, 3.0),
        (column("integer", "int8"), 127, 127),
        (column("integer", "int8"), 128, Wrong("out-of-range")),
        (column("integer", "int8"), 5.0, 5),
        (column("integer", "int8"), 5.5, Wrong("not-an-integer")),
        (column("integer", "int8"), "1,5", Wrong("not-a-number")),
        (column("integer", "object"), 1e300, Wrong("out-of-range")),
    ],
    ids=lambda case: case.name if isinstance(case, Column) else str(case)[:20],
)  # fmt: skip
def test_a_number_is_as_the_column_holds_it_or_a_fault(one: Column, value: object, expected: object) -> None:
    """The code of a fault says what is wrong, and its hint what to do about it."""
    judged = kind_of(one).judge(value, 10**64)

    assert (judged, type(judged)) == (expected, type(expected))


def test_a_fault_names_the_number_format_of_the_column() -> None:
    """Where a CSV writes decimal commas, the hint is that format instead of a decimal point."""
    numbers = NumberFormat(decimal=",", thousands=".")
    judged = kind_of(column("float", "float64", numbers=numbers)).judge("1,5", 10**64)

    assert judged == Wrong("not-a-number", f", in a CSV with {numbers.words}")


@pytest.mark.parametrize(
    ("values", "are_valid"),
    [
        ([1, 2.5, -3], True),
        ([1, None], True),
        ([1, math.nan], False),
        ([math.inf], False),
        ([10**20], False),
        ([10**400], False),
        ([], True),
    ],
)
def test_numbers_are_valid_together_if_all_are_finite_and_small(values: list[Any], are_valid: bool) -> None:
    """A null is valid, but a NaN is not taken for one."""
    assert kind_of(column("float", "float64", nullable=True)).are_valid(values, 10**20) is are_valid


@pytest.mark.parametrize(("dtype", "most"), [("float16", 65504.0), ("float64", float(EXACT - 1)), ("uint8", 255.0)])
def test_bounds_are_those_of_the_dtype_and_of_exact_floats(dtype: str, most: float) -> None:
    """Beyond them a number is left to the row-by-row check."""
    kind = kind_of(column("integer" if dtype == "uint8" else "float", dtype))

    assert isinstance(kind, NumberKind)
    assert kind.fast_bounds(20) == (0.0 if dtype == "uint8" else -most, most)
    assert kind.fast_bounds(1)[1] == 9
    assert kind.bounds(np.inf)[1] == (most if dtype != "float64" else np.finfo(np.float64).max)


@pytest.mark.parametrize(("dtype", "type_"), [("int64", FloatLiteral), ("float64", float)])
def test_cells_keep_their_text_where_an_integer_must_be_exact(dtype: str, type_: type[float]) -> None:
    """A column of integers reads a float with its literal, from which the exact integer is taken."""
    kind = kind_of(column("integer" if dtype == "int64" else "float", dtype))

    [value] = kind.cell_reader(frozenset())(["9007199254740993.0"])

    assert type(value) is type_
    assert kind.judge(value, 10**20) == (2**53 + 1 if dtype == "int64" else float(2**53))


@pytest.mark.parametrize(
    ("number", "integer"), [(5.0, 5), (5.5, None), (7, 7), (FloatLiteral("9007199254740993.0"), 2**53 + 1)]
)
def test_the_integer_of_a_number_is_exact(number: float, integer: int | None) -> None:
    """A number with a fraction is not an integer."""
    assert whole(number) == integer


@pytest.mark.parametrize(
    ("value", "nullable", "hint"),
    [("+nan", True, SEND_NULL), (math.nan, False, NO_NULL), (math.inf, True, "")],
)
def test_only_a_nan_has_a_hint_about_nulls(value: object, nullable: bool, hint: str) -> None:
    """An infinite number is not a missing value."""
    assert non_finite(value, column("float", "float64", nullable=nullable)) == Wrong("non-finite", hint)


def test_a_kind_of_numbers_must_define_what_fits() -> None:
    """The common class has no rule for a finite number."""
    with pytest.raises(NotImplementedError):
        NumberKind(column("float", "float64")).judge(1.5, 10)
