"""The header of a CSV: its names, its delimiter, and advice if it does not match the model."""

import io

import pytest

from artifacts import Column, Signature
from artifacts.columns import Category
from artifacts.number_formats import NumberFormat
from serve.dialects.csv.header import check_names, delimiters, misnamed, required_names
from serve.errors import InvalidInput

COLUMNS = (
    Column(name="sepal_length", kind="float", dtype="float64", nullable=False),
    Column(name="colour", kind="category", dtype="str", nullable=False, categories=(Category(value="red", count=1),)),
    Column(name="note", kind="text", dtype="str", nullable=False, required=False),
)
SIGNATURE = Signature(container="frame", columns=COLUMNS)


def _advice(line: str, *, more: str = "\nx\n") -> str:
    header = line.split(",")
    return str(misnamed(io.BytesIO((line + more).encode()), header, SIGNATURE))


def test_only_required_columns_are_missed() -> None:
    """A column that the model ignores may be left out."""
    assert required_names(SIGNATURE) == ["sepal_length", "colour"]
    assert _advice("colour,note").endswith("missing: sepal_length")


def test_a_name_in_another_spelling_is_recognised() -> None:
    """The error names the column to rename."""
    assert _advice("Sepal Length,colour").endswith("missing: sepal_length; rename Sepal Length to sepal_length")


@pytest.mark.parametrize("line", ["5.1,x", "a,red"])
def test_a_row_in_place_of_the_header_is_recognised(line: str) -> None:
    """A first line with a number or a known category is a row, not a header."""
    assert "the first line has values" in _advice(line)
    assert "expected: sepal_length, colour" in _advice(line)


def test_a_file_of_one_line_has_lost_its_line_breaks() -> None:
    """`curl -d` removes line breaks, and the error says so."""
    assert "--data-binary" in _advice("colour 5.1", more="")


def test_a_decimal_comma_is_tried_last_as_delimiter() -> None:
    """For a model with decimal commas, other delimiters are tried before the comma."""
    price = Column(name="x", kind="float", dtype="float64", nullable=False, numbers=NumberFormat(decimal=","))

    assert delimiters(SIGNATURE) == ",;\t"
    assert delimiters(Signature(container="frame", columns=(price,))) == ";\t,"


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (["a", "b", "c"], "more than 2 columns"),
        (["a", " a "], "names a column twice"),
        (["a", "error"], "the answer adds a column error"),
    ],
)
def test_names_that_a_response_cannot_contain_are_refused(header: list[str], message: str) -> None:
    """Too many names, repeated names, and names that the response adds are refused."""
    with pytest.raises(InvalidInput, match=message):
        check_names(header, ["prediction", "error"], max_columns=2)
    check_names(["a", "b"], ["prediction", "error"], max_columns=2)
