"""The columns of a table: their values, nulls and kinds."""

import io
from typing import Any

import pandas as pd
import pytest

from tests.support.csv_files import Write
from train.cells import NULLS, CellRules
from train.csv_file import read_csv
from train.errors import ColumnMissing
from train.tables import column_kind


def test_nulls_are_listed(write: Write) -> None:
    """The null tokens of pandas that are in the file are listed; the empty cell is always null."""
    table = read_csv(write("a,b,c\n1,NA,x\n,2,n/a\n3,NA,y\n"))

    assert table.frame.isna().sum().tolist() == [1, 2, 1]
    assert table.nulls == ("NA", "n/a")


def test_the_nulls_can_be_given(write: Write) -> None:
    """Given tokens replace those of pandas."""
    table = read_csv(write("a,b\n1,NA\n?,x\n-999,\n"), rules=CellRules(frozenset({"", "?", "-999"})))

    assert table.frame["a"].tolist()[0] == 1.0
    assert table.frame["a"].isna().tolist() == [False, True, True]
    assert table.frame["b"].tolist()[:2] == ["NA", "x"]
    assert table.nulls == ("-999", "?")


def test_a_missing_column_is_named(write: Write) -> None:
    """The message lists the columns, and the nearest name."""
    table = read_csv(write("Species,island\na,b\n"))

    table.require("island", "Species")
    with pytest.raises(ColumnMissing, match=r"no column 'specis'; it has Species, island\. Did you mean 'Species'\?"):
        table.require("island", "specis")


def test_numbers_too_long_for_an_integer_are_floats(write: Write) -> None:
    """No integer dtype can hold them, and objects are for booleans."""
    frame = read_csv(write("a,b\n12345678901234567890123,1\n1,2\n")).frame

    assert frame["a"].tolist() == [12345678901234567890123.0, 1.0]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2.5"], "number"),
        (["1", ""], "number"),
        (["", ""], "number"),
        (["true", "False"], "boolean"),
        (["true", ""], "boolean"),
        (["a", "a", "b", "b"], "category"),
        (["a", "a", "b", "c"], "text"),
        ([f"word {number}" for number in range(202)] * 2, "text"),
    ],
    ids=["numbers", "holes", "nothing", "booleans", "booleans and holes", "categories", "few rows", "many texts"],
)
def test_kinds(write: Write, values: list[str], kind: str) -> None:
    """Texts that come several times are categories, up to a hundred of them."""
    frame = read_csv(write("a,b\n" + "".join(f"{value},x\n" for value in values))).frame

    assert column_kind(frame["a"]) == kind


def test_numbers_are_read_to_the_last_digit(write: Write) -> None:
    """The server reads cells as Python does, and training must not differ by a digit."""
    cells = ["0.1", "2.2250738585072014e-308", "123456789.123456789", "5e-324", "0.30000000000000004"]

    values: pd.Series[Any] = read_csv(write("a,b\n" + "".join(f"{cell},1\n" for cell in cells))).frame["a"]

    assert values.tolist() == [float(cell) for cell in cells]


def test_the_nulls_are_those_of_pandas() -> None:
    """A file that pandas.read_csv reads means the same here."""
    texts = [*NULLS, "NAN", "none", "-", "."]
    frame = pd.read_csv(io.StringIO("text,more\n" + "".join(f"{text},1\n" for text in texts)))

    assert frame["text"].isna().tolist() == [text in NULLS for text in texts]


def test_types_come_from_the_given_rows(write: Write) -> None:
    """A footer does not turn a column into texts."""
    table = read_csv(write("a,b\n1,x\n2,y\nTotal,\n"))

    rows = pd.RangeIndex(2)

    assert table.column_format("a").kind == "text"
    assert table.values("a", table.column_format("a", rows), rows).tolist() == [1, 2]
