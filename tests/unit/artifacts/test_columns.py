"""Which columns a manifest may contain."""

from typing import Any

import pytest
from pydantic import ValidationError

from artifacts.columns import Column
from artifacts.kinds import kind_of
from tests.support.column_samples import column

LEVELS = {"kind": "category", "dtype": "category"}
ONE, TWICE = [{"value": 1, "count": 1}], [{"value": 1, "count": 1}] * 2


@pytest.mark.parametrize(
    "fields",
    [
        {"dtype": "banana"},
        {"dtype": "int64"},
        {"dtype": "boolean"},
        {"dtype": ">f8"},
        {"dtype": "float128"},
        {"minimum": 1.5},
        {"kind": "integer"},
        {"kind": "integer", "dtype": "int64", "nullable": True},
        {"kind": "integer", "dtype": "Float64"},
        {"kind": "boolean", "dtype": "bool", "nullable": True},
        {"kind": "boolean", "dtype": "category"},
        {"kind": "text", "dtype": "U", "nullable": True},
        {"kind": "text", "dtype": "category"},
        {"kind": "text", "dtype": "<U2"},
        {"kind": "date", "dtype": "object"},
        {**LEVELS, "levels": "", "categories": ONE},
        {**LEVELS, "levels": "int64", "categories": TWICE},
        {**LEVELS, "levels": "str", "categories": ONE},
        {**LEVELS, "levels": "int64", "categories": [{"value": 1.5, "count": 1}]},
        {**LEVELS, "levels": "int64", "categories": [{"value": None, "count": 1}]},
        {"unknown": "ignore"},
        {"null": "NA"},
        {"unit": "cm"},
    ],
    ids=str,
)
def test_a_column_that_cannot_be_cast_is_invalid(fields: dict[str, object]) -> None:
    """A column that neither numpy nor pandas can hold is refused when the manifest is read, before any request."""
    whole = column("float", "float64").model_dump()

    with pytest.raises(ValidationError):
        Column.model_validate({**whole, **fields})


@pytest.mark.parametrize(
    ("one", "holds"),
    [
        (column("category", "str", known=["a", ""]), True),
        (column("category", "str", known=["a"]), False),
        (column("text", "str", minimum=0, maximum=9), True),
        (column("text", "str", minimum=1, maximum=9), False),
        (column("text", "str"), False),
        (column("float", "float64", minimum=0, maximum=9), False),
    ],
    ids=lambda case: case.name if isinstance(case, Column) else "",
)
def test_an_empty_cell_is_the_empty_text_if_training_had_one(one: Column, holds: bool) -> None:
    """A CSV writes the empty text and null alike; the column decides which one an empty cell is."""
    assert kind_of(one).cell_reader(frozenset())([""]) == ([""] if holds else [None])


@pytest.mark.parametrize("value", [True, 1, 1.0, "1", 0, -0.0, 5.0, 2**80], ids=repr)
def test_a_value_keeps_its_type(value: Any) -> None:
    """Categories and examples keep their types on disk: true is not 1, and 5.0 stays a float."""
    fields = {"name": "a", "kind": "text", "dtype": "str", "nullable": False, "example": value}
    written = Column.model_validate({**fields, "categories": [{"value": value, "count": 2}]})

    back = Column.model_validate_json(written.model_dump_json())

    assert repr(back.example) == repr(back.known[0]) == repr(value)


def test_a_column_of_the_first_format_has_the_defaults() -> None:
    """A column without categories, nulls among objects or unknown texts in its manifest has none and refuses them."""
    fields = {"name": "a", "kind": "float", "dtype": "float64", "nullable": True, "minimum": 0.5, "maximum": 2}

    read = Column.model_validate({**fields, "example": 1.5})

    assert (read.known, read.levels, read.ordered, read.unknown, read.null) == ([], "", False, "refuse", "nan")
