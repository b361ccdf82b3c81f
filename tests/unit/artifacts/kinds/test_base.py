"""The rules that all kinds of columns share: the longest text, nulls in schemas, and what a kind must define."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic_core import SchemaValidator, ValidationError

from artifacts.kinds import kind_of
from artifacts.kinds.base import ColumnKind, Wrong
from tests.support.column_samples import column


@pytest.mark.parametrize(
    ("fields", "longest"),
    [
        ({"dtype": "str"}, 0),
        ({"dtype": "U"}, 1024),
        ({"dtype": "U", "minimum": 0, "maximum": 2000}, 2000),
        ({"dtype": "U", "minimum": 0, "maximum": 3}, 1024),
    ],
)
def test_only_texts_in_a_numpy_array_have_a_longest_length(fields: dict[str, Any], longest: int) -> None:
    """The limit is the length of the longest text of training, but at least 1,024."""
    assert kind_of(column("text", **fields)).longest == longest


def test_a_known_category_extends_the_longest_length() -> None:
    """A category that training saw is never too long."""
    kind = kind_of(column("category", "U", known=["a", "b" * 1500], unknown="pass"))

    assert kind.longest == 1500
    assert kind.judge("b" * 1500, 10**20) == "b" * 1500
    assert kind.judge("b" * 1501, 10**20) == Wrong("text-too-long")


@pytest.mark.parametrize(
    ("dtype", "values", "are_valid"),
    [
        ("U", ["a", "x" * 1024], True),
        ("U", ["a", "x" * 1025], False),
        ("U", [None], True),
        ("U", [], True),
        ("str", ["x" * 1025], True),
    ],
)
def test_texts_are_valid_together_if_none_is_too_long(dtype: str, values: list[str | None], are_valid: bool) -> None:
    """Nulls have no length, and without a limit every length is valid."""
    assert kind_of(column("text", dtype)).are_valid(values, 10**20) is are_valid


@pytest.mark.parametrize(
    ("kind", "dtype", "takes_integers"),
    [("integer", "int64", True), ("float", "float64", False), ("text", "str", False), ("boolean", "bool", False)],
)
def test_only_columns_of_integers_take_integers_alone(kind: str, dtype: str, takes_integers: bool) -> None:
    """Other columns accept floats or no numbers at all."""
    assert kind_of(column(kind, dtype)).takes_integers is takes_integers


@pytest.mark.parametrize(("nullable", "expected"), [(False, "boolean"), (True, ["boolean", "null"])])
def test_the_schema_of_a_nullable_column_includes_null(nullable: bool, expected: object) -> None:
    """OpenAPI lists null as a second type."""
    kind = kind_of(column("boolean", "boolean", nullable=nullable))
    schema = kind.fast_schema(20)
    assert schema is not None
    validator = SchemaValidator(schema)

    assert kind.json_schema() == {"type": expected}
    if nullable:
        assert validator.validate_python(None) is None
    else:
        with pytest.raises(ValidationError):
            validator.validate_python(None)


def test_a_nullable_column_may_have_no_fast_schema() -> None:
    """A column without known values leaves every value to the check."""
    assert kind_of(column("category", "category", levels="float64", nullable=True)).fast_schema(20) is None


def test_a_column_accepts_any_number_of_cells_by_default() -> None:
    """Only kinds with a few valid cells list them."""
    assert kind_of(column("text", "str")).spellings() == []


@pytest.mark.parametrize(
    "call",
    [lambda kind: kind.judge(1, 10), lambda kind: kind.cell_reader(frozenset()), lambda kind: kind.fast_schema(1)],
    ids=["judge", "cell_reader", "fast_schema"],
)
def test_a_kind_must_define_its_rules(call: Callable[[ColumnKind], object]) -> None:
    """The base class has no rule for values, cells and the fast schema."""
    with pytest.raises(NotImplementedError):
        call(ColumnKind(column("text", "str")))
