"""A number format parses a cell to one number, or to None."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from artifacts.columns import Column
from artifacts.number_formats import PLAIN, NumberFormat, number_of

COMMA = NumberFormat(decimal=",")
GERMAN = NumberFormat(decimal=",", thousands=".")
ENGLISH = NumberFormat(thousands=",")
PERCENT = NumberFormat(percent=True)
DOLLARS = NumberFormat(thousands=",", currency="$", parentheses=True)


@pytest.mark.parametrize(
    ("numbers", "cell", "value"),
    [
        (COMMA, "63,41", 63.41), (COMMA, " -,5 ", -0.5), (COMMA, "63.41", 63.41), (COMMA, "1,5E+03", 1500.0),
        (COMMA, "0.341", 0.341), (COMMA, "1234.567", 1234.567), (COMMA, "6.341", None), (COMMA, "1.234,5", None),
        (GERMAN, "1.234", 1234), (GERMAN, "1.234,5", 1234.5), (GERMAN, "63.41", 63.41), (GERMAN, "12.34.567", None),
        (ENGLISH, "6,341", 6341), (ENGLISH, "6341", 6341), (ENGLISH, "-1,234,567.8", -1234567.8),
        (ENGLISH, "6,34", None), (ENGLISH, "0,341", None), (ENGLISH, "1,2345", None), (ENGLISH, "1234,567", None),
        (PERCENT, "12.30%", 0.123), (PERCENT, "12 %", 0.12), (PERCENT, "12.30", None), (PERCENT, "1e3%", None),
        (DOLLARS, "$1,200.50", 1200.5), (DOLLARS, "($5)", -5), (DOLLARS, "$ 5", 5), (DOLLARS, "5 $", 5),
        (DOLLARS, "-$5", -5), (DOLLARS, "$-5", -5), (DOLLARS, "(-5)", None), (DOLLARS, "€5", None),
        (DOLLARS, "$5$", None), (DOLLARS, "-$-5", None), (DOLLARS, "", None), (DOLLARS, "()", None),
        (PLAIN, "1,5", None), (PLAIN, "٣", None), (PLAIN, "1" * 401, None),
    ],
)  # fmt: skip
def test_a_cell_is_parsed_to_one_number_or_none(numbers: NumberFormat, cell: str, value: float | None) -> None:
    """A text that could mean two numbers is not parsed."""
    read = numbers.read(cell)

    assert (read, type(read)) == (value, type(value))


@given(st.text("0123456789.,+-eE ", max_size=8))
def test_without_a_format_numbers_are_those_of_json(cell: str) -> None:
    """The default format accepts exactly the numbers of JSON."""
    assert PLAIN.read(cell) == number_of(cell.strip())


@given(st.integers(-(10**12), 10**12), st.integers(0, 99))
def test_a_formatted_number_is_parsed_to_the_same_number(whole: int, cents: int) -> None:
    """A number with separators of a format is parsed to its value by that format."""
    sign, digits = "-" if whole < 0 else "", f"{abs(whole):,}"
    value = float(f"{whole}.{cents:02}") if whole else cents / 100

    assert ENGLISH.read(f"{sign}{digits}.{cents:02}", strict=True) == value
    assert GERMAN.read(f"{sign}{digits.replace(',', '.')},{cents:02}", strict=True) == value
    assert COMMA.read(f"{whole},{cents:02}", strict=True) == value


@pytest.mark.parametrize("cell", ["1" * 399 + "x", "1," * 199, "1,234" * 79, "9" * 10**6, "(" * 300, "$" * 300])
def test_a_long_cell_is_parsed_quickly(cell: str) -> None:
    """Parsing needs a number of attempts that does not depend on the cell."""
    begin = time.process_time()

    for numbers in (COMMA, GERMAN, ENGLISH, PERCENT, DOLLARS):
        numbers.read(cell)

    assert time.process_time() - begin < 0.1


@pytest.mark.parametrize(
    "fields", [{"decimal": ",", "thousands": ","}, {"currency": "x"}, {"currency": "$$"}, {"thousands": "_"}]
)
def test_an_invalid_format_is_refused(fields: dict[str, str]) -> None:
    """A character cannot have two meanings, and a currency is one known sign."""
    with pytest.raises(ValidationError):
        NumberFormat.model_validate(fields)


def test_only_numbers_have_a_format() -> None:
    """A text is the content of the cell, so a column of texts cannot have a number format."""
    with pytest.raises(ValidationError, match="a column of kind text has no number format"):
        Column(name="x", kind="text", dtype="str", nullable=False, numbers=COMMA)


def test_a_format_is_described_in_words() -> None:
    """The report of training describes a number format in words."""
    assert DOLLARS.words == ("thousands separated by ',' and the currency sign $ and parentheses for negative numbers")
