"""A CSV becomes the frame that the server would read too, or is refused with the line that is wrong."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from artifacts.manifest import NAME
from train.cells import NULLS, CellRules
from train.errors import ColumnMissing, TableUnreadable
from train.tables import kind_of, model_name, read

Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file and gives back its path."""

    def write(content: str | bytes) -> Path:
        path = tmp_path / "rows.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_the_delimiter_is_found_out(write: Write, delimiter: str, mark: bytes, end: str) -> None:
    """Comma, semicolon and TAB, with or without a byte order mark, whatever ends the lines."""
    lines = [["length", "kind"], ["1.5", "a"], ["2.5", '"b, c; d"']]

    frame = read(write(mark + end.join(map(delimiter.join, lines)).encode())).frame

    assert frame.to_dict("list") == {"length": [1.5, 2.5], "kind": ["a", "b, c; d"]}


def test_the_delimiter_is_the_one_that_yields_what_is_sought(write: Write) -> None:
    """A header that another delimiter would part into more names does not mislead."""
    path = write("a, b, c;target\n1;2\n")

    assert read(path, sought=["target"]).frame.columns.tolist() == ["a, b, c", "target"]


def test_the_delimiter_is_the_one_that_the_rows_have(write: Write) -> None:
    """A header alone may mislead: its rows are parted alike."""
    assert read(write("a, b, c;d\n1;2\n")).frame.columns.tolist() == ["a, b, c", "d"]


def test_quotes_tell_the_delimiter_too(write: Write) -> None:
    """Where one delimiter breaks the quotes, another may have them in their places."""
    assert read(write('a;"b, ""c"""\n1;2\n')).frame.columns.tolist() == ["a", 'b, "c"']


def test_what_was_read_as_null_is_told(write: Write) -> None:
    """The tokens of pandas are nulls, and those that this file has are told; the empty cell is always one."""
    table = read(write("a,b,c\n1,NA,x\n,2,n/a\n3,NA,y\n"))

    assert table.frame.isna().sum().tolist() == [1, 2, 1]
    assert table.nulls == ("NA", "n/a")


def test_the_nulls_can_be_named(write: Write) -> None:
    """Named tokens take the place of pandas' own: what means null elsewhere is a text here."""
    table = read(write("a,b\n1,NA\n?,x\n-999,\n"), rules=CellRules(frozenset({"", "?", "-999"})))

    assert table.frame["a"].tolist()[0] == 1.0
    assert table.frame["a"].isna().tolist() == [False, True, True]
    assert table.frame["b"].tolist()[:2] == ["NA", "x"]
    assert table.nulls == ("-999", "?")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is empty: its first line must name the columns"),
        ("\n \n", "is empty"),
        ("a,b\n", "has a header and no rows"),
        ("a,b\n\n", "has a header and no rows"),
        ("a,b\n1,2\n3\n", "has 1 cells on line 3, and its header has 2"),
        ("a,b\n1,2\n\n3,4,5\n", "has 3 cells on line 4, and its header has 2"),
        ('a,b\n"1\n2",2\n3\n', "has 1 cells on line 4, and its header has 2"),
        ('a,b\n1,2\n"3,4\n5,6\n', "cannot be read on line 3: unexpected end of data"),
        ('a,"b\n1,2\n', "cannot be read on line 1: unexpected end of data"),
        ("a,b, a \n1,2,3\n", "has more than one column 'a'"),
        ("a,b\n1,x\n1e999,y\n", "has inf in column 'a', and no model learns from numbers beyond 1e[+]100"),
        ("a,b\n1,x\n-1e101,y\n", "has 1e[+]101 in column 'a'"),
        ("a,b\n1,caf\u00e9\n".encode("latin-1"), "is not UTF-8 text: see byte 9.*iconv -f WINDOWS-1252 -t UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "is not UTF-8 text: see byte 0.*iconv -f UTF-16 -t UTF-8"),
        (b"a,b\n1,\0\n", "is no text: character 6 is NUL"),
        (b"PK\x03\x04\x14\x00\x06\x00\xd9", "is not UTF-8 text"),
    ],
)
def test_what_is_no_table_is_refused(write: Write, content: str | bytes, reason: str) -> None:
    """The message names the file, the line or byte, and what is wrong there."""
    with pytest.raises(TableUnreadable, match=f"^rows.csv {reason}"):
        _ = read(write(content)).frame


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Neither a missing file nor a folder can be read."""
    with pytest.raises(TableUnreadable, match=r"there is no file .*nowhere\.csv"):
        read(tmp_path / "nowhere.csv")
    with pytest.raises(TableUnreadable, match="cannot be read: Is a directory"):
        read(tmp_path)


def test_a_column_that_is_not_there_is_named(write: Write) -> None:
    """The message lists the columns, and the nearest to what was asked for."""
    table = read(write("Species,island\na,b\n"))

    table.demand("island", "Species")
    with pytest.raises(ColumnMissing, match=r"no column 'specis'; it has Species, island\. Did you mean 'Species'\?"):
        table.demand("island", "specis")


def test_nameless_columns_keep_their_place(write: Write) -> None:
    """The index that pandas writes has no name in the header; what trailing commas leave is no column."""
    assert read(write(",a,\n0,1,\n1,2,\n")).frame.columns.tolist() == ["Unnamed: 0", "a"]


def test_numbers_too_long_for_an_integer_are_floats(write: Write) -> None:
    """No integer dtype holds them, and objects are for booleans."""
    frame = read(write("a,b\n12345678901234567890123,1\n1,2\n")).frame

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
    frame = read(write("a,b\n" + "".join(f"{value},x\n" for value in values))).frame

    assert kind_of(frame["a"]) == kind


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("penguins.csv", "penguins"),
        ("penguins_raw.v2.csv", "penguins_raw.v2"),
        ("Größe (neu) 2026.csv", "grosse-neu-2026"),
        ("__.csv", "model"),
        ("x" * 100 + ".csv", "x" * 64),
        ("a" * 63 + "--b.csv", "a" * 63),
        (".csv", "csv"),
    ],
)
def test_a_file_lends_its_name(file: str, name: str) -> None:
    """Whatever a file is called, a store can hold what it is made into."""
    assert model_name(Path(file)) == name
    assert NAME.fullmatch(name)


def test_numbers_are_read_to_the_last_digit(write: Write) -> None:
    """The server reads cells as Python does, and training must not differ by a digit."""
    cells = ["0.1", "2.2250738585072014e-308", "123456789.123456789", "5e-324", "0.30000000000000004"]

    values: pd.Series[Any] = read(write("a,b\n" + "".join(f"{cell},1\n" for cell in cells))).frame["a"]

    assert values.tolist() == [float(cell) for cell in cells]


def test_the_nulls_are_those_of_pandas() -> None:
    """A file that pandas.read_csv reads means the same here."""
    texts = [*NULLS, "NAN", "none", "-", "."]
    frame = pd.read_csv(io.StringIO("text,more\n" + "".join(f"{text},1\n" for text in texts)))

    assert frame["text"].isna().tolist() == [text in NULLS for text in texts]


def test_rows_that_repeat_the_header_are_no_rows(write: Write) -> None:
    """Files that were joined have one in the middle."""
    table = read(write("a,b\n1,x\na, b\n2,y\n"))

    assert table.frame["a"].tolist() == [1, 2]
    assert table.repeated == (3,)


def test_types_are_judged_by_the_rows_that_are_named(write: Write) -> None:
    """A footer makes no text of a column."""
    table = read(write("a,b\n1,x\n2,y\nTotal,\n"))

    rows = pd.RangeIndex(2)

    assert table.reading("a").kind == "text"
    assert table.values("a", table.reading("a", rows), rows).tolist() == [1, 2]


def test_columns_without_a_name_and_a_value_are_none(write: Write) -> None:
    """What trailing commas leave behind is no column."""
    assert list(read(write("a,b,,\n1,x,,\n2,y, ,\n")).columns) == ["a", "b"]
