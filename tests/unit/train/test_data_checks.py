"""Columns that would mislead a model are reported with advice, and no others."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from train.cells import CellRules
from train.csv_file import read_csv
from train.data_checks import DataWarning, near_number_warning, unusable_columns
from train.recipes import all_recipes

ROWS = 40
SHUFFLED = np.random.default_rng(0).permutation(ROWS)


def output(**columns: Any) -> list[tuple[str, str]]:
    """What is said of these columns, and the advice."""
    frame = pd.DataFrame({"other": np.linspace(0, 1, ROWS), **columns})
    return [(warning.what, warning.advice) for warning in unusable_columns(frame)]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("row", np.arange(ROWS)),
        ("anything", SHUFFLED + 1000),
        ("customer_id", SHUFFLED * 7),
        ("customerId", np.where(SHUFFLED == 3, np.nan, SHUFFLED * 7.0)),
        ("ID", SHUFFLED * 7),
        ("code", [f"X-{number}" for number in SHUFFLED]),
        ("mail", [f"user{number}@example.com" for number in range(ROWS)]),
    ],
)
def test_ids_are_left_out(name: str, values: Any) -> None:
    """Numbers that count the rows, numbers of such a name, and codes of one word, of which no two are alike."""
    [(what, advice)] = output(**{name: values})

    assert what == f"column {name!r} identifies rows, as an id does, and is left out"
    assert advice == f"if it is not an id: --keep {name}"


@pytest.mark.parametrize(
    "values",
    [
        SHUFFLED * 7,
        SHUFFLED / 7,
        SHUFFLED // 2,
        [f"a remark on {number}" for number in range(ROWS)],
        [f"X-{number // 2}" for number in range(ROWS)],
        SHUFFLED % 2 == 0,
    ],
    ids=["distinct numbers", "floats", "twice each", "sentences", "codes that come twice", "booleans"],
)
def test_what_differs_is_not_an_id_for_that(values: Any) -> None:
    """Measures and sentences may all be different and still mean something."""
    assert output(measure=values) == []


def test_few_rows_have_no_ids() -> None:
    """Of few rows a measure may well count one up to the next."""
    assert unusable_columns(pd.DataFrame({"size": [3, 1, 2, 4], "name": ["a", "b", "c", "d"]})) == []


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ([5] * ROWS, "is always 5"),
        (["x" * 90] * ROWS, f"is always '{'x' * 38}…"),
        ([True] * ROWS, "is always True"),
        ([np.nan] * ROWS, "has no value at all"),
    ],
)
def test_constant_columns_are_left_out(values: Any, what: str) -> None:
    """A column with one value, or none, is left out; callers need not send it."""
    assert output(same=values) == [(f"column 'same' {what}, and is left out", "callers need not send it")]


def test_one_value_and_nulls_differ() -> None:
    """That something is missing may mean something."""
    assert output(sometimes=np.where(SHUFFLED > 10, 1.0, np.nan)) == []


def test_dates_are_left_out() -> None:
    """The advice is to derive numbers, or to hold back the latest rows; names are quoted for the shell."""
    [(what, advice)] = output(**{"day of sale": [f"2026-01-{1 + row % 28:02}" for row in range(ROWS)]})

    assert what == "column 'day of sale' holds dates, and is left out"
    assert advice.endswith("--time-column 'day of sale'")


def test_what_has_no_name_is_left_out() -> None:
    """The index that pandas writes could not be sent."""
    [(what, _)] = output(**{"Unnamed: 0": SHUFFLED * 7.5})

    assert what.startswith("column 'Unnamed: 0' has no name, so that callers cannot send it")


def test_keep_overrides_the_checks() -> None:
    """--keep keeps a column that looks like an id, but not one without values."""
    frame = pd.DataFrame({"year": np.arange(ROWS) + 1980, "same": 1, "id": np.arange(ROWS)})

    assert [warning.column for warning in unusable_columns(frame, keep=["year", "same"])] == ["same", "id"]


@pytest.mark.parametrize("name", list(all_recipes()))
def test_real_tables_lose_nothing(name: str) -> None:
    """No column of the recipes' tables is taken for what it is not."""
    X, _ = all_recipes()[name].load()

    assert unusable_columns(X) == []


def suspected(folder: Path, *cells: str, delimiter: str = ",") -> DataWarning | None:
    """What is said of a column with these cells."""
    path = folder / "rows.csv"
    path.write_text(f"x{delimiter}y\n" + "".join(f'"{cell}"{delimiter}0\n' for cell in cells))
    table = read_csv(path, rules=CellRules())
    return near_number_warning(table, "x", table.column_format("x"))


@pytest.mark.parametrize(
    ("cells", "what", "advice"),
    [
        (["n.d."], "'n.d.' on line 22", "--null n.d."),
        (["?", "?", "-"], "'?', '-' in 3 rows, first on line 22", "--null '?' --null=-"),
        (["a", "b", "c", "d"], "'a', 'b', 'c', ... in 4 rows, first on line 22", "correct these cells, or name with"),
    ],
    ids=["one", "two", "many"],
)
def test_nearly_numbers_are_named(tmp_path: Path, cells: list[str], what: str, advice: str) -> None:
    """A few cells make texts of a column of numbers: which, where, and the option that makes nulls of them."""
    warning = suspected(tmp_path, *(f"{row},000" for row in range(1, 21)), *cells)

    assert warning is not None
    assert warning.what == f"column 'x' is text, and would be numbers without {what}"
    assert advice in warning.advice
    assert warning.column is None


def test_decimal_commas_are_reported_if_the_delimiter_is_a_comma(tmp_path: Path) -> None:
    """The advice names the option that reads them."""
    warning = suspected(tmp_path, *(f"{row},50" for row in range(20)))

    assert warning is not None
    assert warning.what == "column 'x' is text: its numbers have a decimal comma, and the delimiter is a comma"
    assert warning.advice == "--decimal ,"


@pytest.mark.parametrize("cells", [["a", "b"] * 20, ["1", "x"] * 20, ["1.5", "2"], ["true", ""], ["01", "02"]])
def test_texts_are_not_reported(tmp_path: Path, cells: list[str]) -> None:
    """Texts, mixed columns, numbers, booleans and codes have no warning."""
    assert suspected(tmp_path, *cells) is None
