"""A CSV file becomes a table, or is refused with the line."""

from pathlib import Path

import pytest

from artifacts.manifest import NAME
from tests.support.csv_files import Write
from train.csv_file import model_name, read_csv
from train.errors import TableUnreadable


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_the_delimiter_is_detected(write: Write, delimiter: str, mark: bytes, end: str) -> None:
    """Comma, semicolon and TAB, with or without a byte order mark, with any line endings."""
    lines = [["length", "kind"], ["1.5", "a"], ["2.5", '"b, c; d"']]

    frame = read_csv(write(mark + end.join(map(delimiter.join, lines)).encode())).frame

    assert frame.to_dict("list") == {"length": [1.5, 2.5], "kind": ["a", "b, c; d"]}


def test_the_delimiter_is_the_one_that_yields_what_is_sought(write: Write) -> None:
    """A header that another delimiter would split into more names does not mislead."""
    path = write("a, b, c;target\n1;2\n")

    assert read_csv(path, sought=["target"]).frame.columns.tolist() == ["a, b, c", "target"]


def test_the_delimiter_is_the_one_that_the_rows_have(write: Write) -> None:
    """A header alone may mislead: the rows decide the delimiter."""
    assert read_csv(write("a, b, c;d\n1;2\n")).frame.columns.tolist() == ["a, b, c", "d"]


def test_quotes_help_to_detect_the_delimiter(write: Write) -> None:
    """Quotes that are invalid with one delimiter may be valid with another."""
    assert read_csv(write('a;"b, ""c"""\n1;2\n')).frame.columns.tolist() == ["a", 'b, "c"']


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
        ("a,b\n1,x\n1e999,y\n", "has inf in column 'a', and no model can be fitted on numbers beyond 1e[+]100"),
        ("a,b\n1,x\n-1e101,y\n", "has 1e[+]101 in column 'a'"),
        ("a,b\n1,caf\u00e9\n".encode("latin-1"), "is not UTF-8 text: see byte 9.*iconv -f WINDOWS-1252 -t UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "is not UTF-8 text: see byte 0.*iconv -f UTF-16 -t UTF-8"),
        (b"a,b\n1,\0\n", "is not text: character 6 is NUL"),
        (b"PK\x03\x04\x14\x00\x06\x00\xd9", "is not UTF-8 text"),
    ],
)
def test_what_is_no_table_is_refused(write: Write, content: str | bytes, reason: str) -> None:
    """The message names the file, the line or byte, and what is wrong there."""
    with pytest.raises(TableUnreadable, match=f"^rows.csv {reason}"):
        _ = read_csv(write(content)).frame


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Neither a missing file nor a folder can be read."""
    with pytest.raises(TableUnreadable, match=r"there is no file .*nowhere\.csv"):
        read_csv(tmp_path / "nowhere.csv")
    with pytest.raises(TableUnreadable, match="cannot be read: Is a directory"):
        read_csv(tmp_path)


def test_nameless_columns_keep_their_place(write: Write) -> None:
    """The index that pandas writes has no name in the header; what trailing commas leave is no column."""
    assert read_csv(write(",a,\n0,1,\n1,2,\n")).frame.columns.tolist() == ["Unnamed: 0", "a"]


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
def test_the_name_of_a_file_becomes_a_model_name(file: str, name: str) -> None:
    """Any file name is turned into a valid model name."""
    assert model_name(Path(file)) == name
    assert NAME.fullmatch(name)


def test_rows_that_repeat_the_header_are_no_rows(write: Write) -> None:
    """Files that were joined have one in the middle."""
    table = read_csv(write("a,b\n1,x\na, b\n2,y\n"))

    assert table.frame["a"].tolist() == [1, 2]
    assert table.repeated == (3,)


def test_columns_without_a_name_and_a_value_are_ignored(write: Write) -> None:
    """Trailing commas leave such columns."""
    assert list(read_csv(write("a,b,,\n1,x,,\n2,y, ,\n")).columns) == ["a", "b"]
