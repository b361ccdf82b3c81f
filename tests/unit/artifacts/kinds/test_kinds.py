"""Every kind of column states rules that agree with each other."""

from typing import Any, get_args

import pytest
from pydantic_core import SchemaValidator, ValidationError

from artifacts import frames
from artifacts.columns import Column, Kind
from artifacts.kinds import KINDS, kind_of
from artifacts.kinds.base import Wrong
from artifacts.values import Check
from tests.support.column_samples import EVERY_COLUMN, column

VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 3, 5.0, 0.5, 127, 128, 70_000, 2**53, 2**60, 10**25, 1e39, float("nan"), float("inf"),
    "a", "b", "", "1", "nan", "1,5", "x" * 2000, [], {},
]  # fmt: skip


def test_every_kind_has_its_rules() -> None:
    """The table of kinds has those that a manifest may name."""
    assert set(KINDS) == set(get_args(Kind))


@EVERY_COLUMN
def test_the_fast_schema_accepts_only_what_the_check_accepts(one: Column) -> None:
    """And with the same value, so that it does not matter which of them reads a request."""
    schema = kind_of(one).fast_schema(20)
    validator = SchemaValidator(schema) if schema else None
    for value in VALUES:
        try:
            read = validator.validate_python(value) if validator else None
        except ValidationError:
            continue
        if validator:
            array, faults = Check(one)([read], max_digits=20)
            expected, _ = Check(one)([value], max_digits=20)
            assert not faults, value
            assert repr(frames.cast(one, array).tolist()) == repr(frames.cast(one, expected).tolist())


@EVERY_COLUMN
def test_values_that_are_valid_together_are_valid_alone(one: Column) -> None:
    """A look at all values at once never accepts what a closer look refuses."""
    kind = kind_of(one)
    for value in VALUES:
        if type(value) in kind.types and kind.are_valid([value], 10**20):
            judged = kind.judge(value, 10**20)
            assert not isinstance(judged, Wrong) or judged.code == "out-of-range"


@EVERY_COLUMN
def test_cells_are_read_as_json_would_bring_them(one: Column) -> None:
    """The cells of known spellings are valid, and a cell that does not fit stays a text."""
    kind = kind_of(one)
    read = kind.cell_reader(frozenset())

    for cell, value in zip(kind.spellings(), read(kind.spellings()), strict=True):
        assert value is None or not isinstance(kind.judge(value, 10**20), Wrong), cell
    assert read(["\x7f"]) == ["\x7f"]


@EVERY_COLUMN
def test_openapi_says_whether_a_value_may_be_null(one: Column) -> None:
    """By its types, or by the values of a category."""
    schema = kind_of(one).json_schema()

    assert (None in schema.get("enum", []) or "null" in schema.get("type", [])) is one.nullable


@pytest.mark.parametrize(
    ("one", "value", "wrong"),
    [
        (column("boolean", "bool"), 1, Wrong("not-a-boolean")),
        (column("text", "U", minimum=0, maximum=3), "x" * 1025, Wrong("text-too-long")),
        (column("text", "str"), 1, Wrong("not-a-text")),
    ],
    ids=lambda case: case.name if isinstance(case, Column) else str(case)[:20],
)
def test_an_invalid_value_has_a_fault(one: Column, value: object, wrong: Wrong) -> None:
    """Its code says what is wrong."""
    assert kind_of(one).judge(value, 10**64) == wrong
