"""Columns of known values: which are valid, how their cells are read, and which schema accepts them."""

from typing import Any

import pytest
from pydantic_core import SchemaValidator, ValidationError

from artifacts.columns import Column
from artifacts.kinds import kind_of
from artifacts.kinds.base import Wrong
from tests.support.column_samples import column

TEXTS = column("category", "str", known=["b", "a"])
OPEN_TEXTS = column("category", "str", known=["a"], unknown="pass")
INTEGERS = column("category", "category", known=[1, 5], levels="int64")
FLOATS = column("category", "category", known=[0.5, 2.0], levels="float64")
OPEN_FLOATS = column("category", "category", known=[0.5], levels="float64", unknown="pass")
BOOLEANS = column("category", "category", known=[False, True], levels="bool")
EMPTY = column("category", "category", levels="float64", nullable=True)


@pytest.mark.parametrize(
    ("one", "value", "expected"),
    [
        (TEXTS, "a", "a"),
        (TEXTS, "c", Wrong("unknown-category")),
        (TEXTS, 1, Wrong("not-a-text")),
        (TEXTS, [], Wrong("not-a-text")),
        (OPEN_TEXTS, "c", "c"),
        (column("category", "U", known=["a"], unknown="pass"), "b" * 1025, Wrong("text-too-long")),
        (INTEGERS, 5.0, 5),
        (INTEGERS, 1.5, Wrong("not-an-integer")),
        (INTEGERS, float("inf"), Wrong("not-an-integer")),
        (INTEGERS, True, Wrong("not-an-integer")),
        (FLOATS, 2, 2),
        (FLOATS, 0.5, 0.5),
        (FLOATS, 0.7, Wrong("unknown-category")),
        (FLOATS, "0.5", Wrong("not-a-number")),
        (FLOATS, float("-inf"), Wrong("non-finite")),
        (BOOLEANS, 1, Wrong("not-a-boolean")),
    ],
    ids=lambda case: case.name if isinstance(case, Column) else str(case)[:20],
)  # fmt: skip
def test_a_value_is_a_known_category_or_has_a_fault(one: Column, value: object, expected: object) -> None:
    """A number is matched by its value; an unknown category is valid only where the estimator takes it."""
    judged = kind_of(one).judge(value, 10**64)

    assert (judged, type(judged)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("one", "values", "are_valid"),
    [
        (TEXTS, ["a", None, "b"], True),
        (TEXTS, ["a", "c"], False),
        (OPEN_TEXTS, ["a", "c"], True),
        (OPEN_FLOATS, [0.5], True),
        (OPEN_FLOATS, [float("nan")], False),
        (column("category", "U", known=["a"], unknown="pass"), ["b" * 1025], False),
    ],
    ids=lambda case: case.name if isinstance(case, Column) else str(case)[:20],
)
def test_categories_are_valid_together_if_each_is(one: Column, values: list[Any], are_valid: bool) -> None:
    """An unknown float needs a closer look, since it may be infinite or NaN."""
    assert kind_of(one).are_valid(values, 10**20) is are_valid


@pytest.mark.parametrize(
    ("one", "cells", "expected"),
    [
        (INTEGERS, ["5", "1"], [5, 1]),
        (FLOATS, ["2", "0.5"], [2, 0.5]),
        (BOOLEANS, ["true", "0"], [True, False]),
        (TEXTS, ["a", "", "1"], ["a", None, "1"]),
        (column("category", "str", known=["", "a"]), ["", "a"], ["", "a"]),
    ],
    ids=lambda case: case.name if isinstance(case, Column) else str(case)[:20],
)
def test_cells_are_read_by_the_type_of_the_known_values(one: Column, cells: list[str], expected: list[object]) -> None:
    """A category of numbers is matched by number, not by how it is written."""
    read = list(kind_of(one).cell_reader(frozenset())(cells))

    assert read == expected
    assert list(map(type, read)) == list(map(type, expected))


@pytest.mark.parametrize(
    ("one", "spellings", "schema"),
    [
        (TEXTS, ["b", "a"], {"enum": ["b", "a"]}),
        (column("category", "str", known=["a"], nullable=True), ["a"], {"enum": ["a", None]}),
        (OPEN_TEXTS, [], {"type": "string"}),
        (OPEN_FLOATS, [], {"type": "number"}),
        (column("category", "str", known=["a"], nullable=True, unknown="pass"), [], {"type": ["string", "null"]}),
    ],
    ids=lambda case: case.name if isinstance(case, Column) else str(case)[:20],
)
def test_only_closed_categories_are_listed(one: Column, spellings: list[str], schema: dict[str, Any]) -> None:
    """Where other values are valid too, OpenAPI has their type instead of a list."""
    kind = kind_of(one)

    assert kind.spellings() == spellings
    assert {key: list(value) if key == "enum" else value for key, value in kind.json_schema().items()} == schema


@pytest.mark.parametrize(
    ("one", "valid", "invalid"),
    [
        (TEXTS, "a", "c"),
        (OPEN_TEXTS, "c", 1),
        (column("category", "U", known=["a"], unknown="pass"), "b" * 1024, "b" * 1025),
        (INTEGERS, 1, True),
        (INTEGERS, 5, 2),
    ],
    ids=lambda case: case.name if isinstance(case, Column) else str(case)[:20],
)
def test_the_fast_schema_accepts_only_valid_categories(one: Column, valid: object, invalid: object) -> None:
    """It refuses what the check refuses, true among integers included."""
    schema = kind_of(one).fast_schema(20)
    assert schema is not None
    validator = SchemaValidator(schema)

    assert validator.validate_python(valid) == valid
    with pytest.raises(ValidationError):
        validator.validate_python(invalid)


@pytest.mark.parametrize("one", [FLOATS, BOOLEANS, EMPTY], ids=lambda one: one.name)
def test_other_categories_have_no_fast_schema(one: Column) -> None:
    """1 and 1.0 and true are equal as literals, so the check decides."""
    assert kind_of(one).fast_schema(20) is None


def test_a_column_without_categories_has_no_filler() -> None:
    """The first known value stands for an invalid one, and null where there is none."""
    assert kind_of(EMPTY).filler is None
    assert kind_of(TEXTS).filler == "b"
