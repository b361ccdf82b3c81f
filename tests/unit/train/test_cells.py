"""The cells of a column are read as what all of them are, and numbers in whichever way they are written."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from artifacts.number_formats import PLAIN, NumberFormat
from train.cells import CellRules, Cells, column_format_of

COMMA, SEMICOLON = CellRules(), CellRules(comma_separates=False)


def column(cells: Sequence[str]) -> Cells:
    """A column with these cells."""
    different = list(dict.fromkeys(cells))
    return Cells(np.array([different.index(cell) for cell in cells], dtype=np.intp), tuple(different))


def values(cells: Sequence[str], rules: CellRules) -> list[Any]:
    """What they are read as."""
    held: list[Any] = column_format_of(column(cells), rules).values(column(cells)).tolist()
    return held


@pytest.mark.parametrize(
    ("cells", "rules", "expected", "numbers"),
    [
        (["1", "-2", "+3"], COMMA, [1, -2, 3], PLAIN),
        (["1.5", " 2", ".5", "1e3"], COMMA, [1.5, 2.0, 0.5, 1000.0], PLAIN),
        (["0", "0.5", "00.5"], COMMA, [0.0, 0.5, 0.5], PLAIN),
        (["63,41", "5"], SEMICOLON, [63.41, 5.0], NumberFormat(decimal=",")),
        (["6,341", "7,5"], SEMICOLON, [6.341, 7.5], NumberFormat(decimal=",")),
        (["6,341", "1,234,567"], SEMICOLON, [6341, 1234567], NumberFormat(thousands=",")),
        (["6,341", "7"], COMMA, [6341, 7], NumberFormat(thousands=",")),
        (["1.234", "2,5"], SEMICOLON, [1234.0, 2.5], NumberFormat(decimal=",", thousands=".")),
        (["1 234,5", "2\u00a0345,5", "3\u202f456"], SEMICOLON, [1234.5, 2345.5, 3456.0],
         NumberFormat(decimal=",", thousands=" ")),
        (["1'234.5", "1\u2019234"], COMMA, [1234.5, 1234.0], NumberFormat(thousands="'")),
        (["1.234", "2.345"], COMMA, [1.234, 2.345], PLAIN),
        (["1.234", "2.345"], CellRules(thousands="."), [1234, 2345], NumberFormat(decimal=",", thousands=".")),
        (["63,41", "5,5"], CellRules(decimal=","), [63.41, 5.5], NumberFormat(decimal=",")),
        (["6,341", "5,555"], CellRules(comma_separates=False, decimal="."), [6341, 5555], NumberFormat(thousands=",")),
        (["12.30%", "5 %", "-7%"], COMMA, [0.123, 0.05, -0.07], NumberFormat(percent=True)),
        (["12,5%", "5%"], SEMICOLON, [0.125, 0.05], NumberFormat(decimal=",", percent=True)),
        (["$1,200.50", "-$3", "$-4", "5"], COMMA, [1200.5, -3.0, -4.0, 5.0],
         NumberFormat(thousands=",", currency="$")),
        (["1.200,50 €", "3 €"], SEMICOLON, [1200.5, 3.0], NumberFormat(decimal=",", thousands=".", currency="€")),
        (["(1,200)", "3"], COMMA, [-1200, 3], NumberFormat(thousands=",", parentheses=True)),
        (["9223372036854775808", "1"], COMMA, [2**63, 1], PLAIN),
    ],
)  # fmt: skip
def test_numbers_are_read_in_the_format_of_all_cells(
    cells: list[str], rules: CellRules, expected: list[float], numbers: NumberFormat
) -> None:
    """A comma is decimal only if it is not the delimiter; JSON's format is preferred; options override."""
    reading = column_format_of(column(cells), rules)

    assert (reading.kind, reading.numbers) == ("number", numbers)
    assert values(cells, rules) == expected


@pytest.mark.parametrize(
    ("cells", "is_nearly"),
    [
        (["00003", "00014", "5"], False),
        (["01", "02", "10"], False),
        (["001", "002", "003", "136", "136A"], False),
        (["63,41", "5,5"], True),
        (["0,123", "0,456"], True),
        (["$1", "€2", "3", "4", "5", "6"], True),
        (["12%", "0.5", "a"], False),
        (["1-2", "3-4"], False),
        (["2026-01-02", "2026-01-03"], False),
        (["1.2.2026", "3.4.2026"], False),
        (["12:30", "13:45"], False),
        (["inf", "1", "2", "3", "4"], True),
        (["0x10", "1_000"], False),
    ],
)
def test_texts_stay_texts(cells: list[str], is_nearly: bool) -> None:
    """Codes, dates, times, ranges and whatever does not agree; some of it is nearly a number."""
    reading = column_format_of(column(cells), COMMA)

    assert (reading.kind, reading.is_nearly_numbers) == ("text", is_nearly)
    assert values(cells, COMMA) == cells


def test_nulls_have_no_say_in_what_a_column_is() -> None:
    """Blanks around a null are nothing, unless the column is of texts; then they are part of the text."""
    assert values(["", " NA ", "1,5"], SEMICOLON)[2] == 1.5
    assert np.isnan(values(["", " NA ", "1,5"], SEMICOLON)[:2]).all()
    assert values(["true", "NA", "False"], COMMA)[::2] == [True, False]
    assert values(["a", " NA", "b"], COMMA) == ["a", " NA", "b"]
    assert column_format_of(column(["", "NA"]), COMMA).kind == "number"
    assert column_format_of(column(["a", "NA", ""]), COMMA).found_nulls(column(["a", "NA", ""])) == {"NA"}


def test_the_commonest_strays_come_first() -> None:
    """They are what is named first."""
    cells = [*map(str, range(30)), "?", "n.d.", "?"]

    assert column_format_of(column(cells), COMMA).strays == ("?", "n.d.")


def test_a_long_column_of_texts_is_recognised_by_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample of its cells rules every number format out."""
    read: list[str] = []
    monkeypatch.setattr(NumberFormat, "read", lambda _, cell, **_more: read.append(cell))

    column_format_of(column([f"text {row}" for row in range(5_000)]), COMMA)

    assert len(read) <= 8 * 1_000
