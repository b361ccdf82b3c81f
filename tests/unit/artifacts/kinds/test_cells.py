"""CSV cells become what JSON would have brought, by the kind of their column."""

from typing import Any

import pytest

from artifacts import Column
from artifacts.columns import Category
from artifacts.kinds import kind_of


def _read(cells: list[str], *, nulls: frozenset[str] = frozenset(), **fields: Any) -> list[object]:
    column = Column(name="x", **{"nullable": False, **fields})
    return list(kind_of(column).cell_reader(nulls)(cells))


def _category(*values: Any) -> dict[str, Any]:
    dtype = "str" if all(isinstance(value, str) for value in values) else "category"
    levels = {str: "str", int: "int64", bool: "bool", float: "float64"}[type(values[0])]
    return {
        "kind": "category",
        "dtype": dtype,
        "levels": levels,
        "categories": tuple(Category(value=value, count=1) for value in values),
    }


FLOAT: dict[str, Any] = {"kind": "float", "dtype": "float64"}
TEXT: dict[str, Any] = {"kind": "text", "dtype": "str"}
BOOLEAN: dict[str, Any] = {"kind": "boolean", "dtype": "bool"}


@pytest.mark.parametrize("neighbour", ["1", "", "x", "NaN"])
def test_a_null_token_is_null_whatever_stands_beside_it(neighbour: str) -> None:
    """A cell that is one of the tokens for null is null, even where all cells of its column are numbers."""
    assert _read([" -999 ", neighbour], nulls=frozenset({"-999"}), **FLOAT)[0] is None


@pytest.mark.parametrize("cell", ["true", "True", "TRUE", "1", " true "])
def test_booleans_are_read_as_pandas_and_json_write_them(cell: str) -> None:
    """True in any case and 1 are true; false and 0 are false."""
    assert _read([cell, "False"], **BOOLEAN) == [True, False]


@pytest.mark.parametrize("cell", ["yes", "2", "1.0", "t"])
def test_what_is_no_boolean_stays_a_text(cell: str) -> None:
    """Nothing is guessed: the check refuses what stays a text."""
    assert _read([cell], **BOOLEAN) == [cell]


@pytest.mark.parametrize("cell", ["1", "1.50", " a ", "true", "NaN", "=1+1"])
def test_texts_stay_as_they_came(cell: str) -> None:
    """A text that looks like a number is a text, and its blanks are part of it."""
    assert _read([cell], **TEXT) == [cell]


def test_an_empty_cell_is_null() -> None:
    """In a column of texts as in any other, quoted or not."""
    assert _read(["", "a"], **TEXT, minimum=1, maximum=9) == [None, "a"]


def test_an_empty_cell_is_the_empty_text_where_training_saw_it_and_no_null() -> None:
    """Training on empty texts, as fillna('') leaves them, is not answered with a null."""
    assert _read(["", "a"], **TEXT, minimum=0, maximum=9) == ["", "a"]
    assert _read(["", "a"], **_category("", "a")) == ["", "a"]
    assert _read(["", "a"], **TEXT, minimum=0, maximum=9, nullable=True) == [None, "a"]


def test_a_category_that_is_called_like_a_null_stays_one() -> None:
    """NA is Namibia to a model that was trained so, whatever else it means elsewhere."""
    assert _read(["NA", "DE"], nulls=frozenset({"NA"}), **_category("DE", "NA")) == ["NA", "DE"]
    assert _read(["NA", "DE"], nulls=frozenset({"NA"}), **_category("DE", "FR")) == [None, "DE"]
