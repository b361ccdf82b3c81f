"""Lines of a CSV as bytes: which are taken together, and which are left to the reader of records."""

import io

import numpy as np
import pytest

from serve.dialects.csv import lines as csv_lines
from serve.dialects.csv.lines import Lines, block_rows, take


def _take(content: bytes, *, offset: int = 0, line: int = 2, delimiter: str = ",") -> Lines | None:
    return take(io.BytesIO(content), offset, line, delimiter=delimiter, max_bytes=20, max_rows=9)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_keep_their_physical_numbers(end: str) -> None:
    """Blank lines are skipped, but counted in line numbers and in the number of bytes."""
    content = f"1,2{end}{end}3,4{end}5".encode()

    lines = _take(content)

    assert lines
    assert lines.numbers.tolist() == [2, 4, 5]
    assert lines.csv.to_pybytes().split(b"\n") == [b"1,2", b"3,4", b"5"]
    assert lines.widths(",").tolist() == [2, 2, 1]
    assert (lines.taken, lines.breaks) == (len(content) + 1, 4)
    assert lines.cells(",") == [["1", "2"], ["3", "4"], ["5"]]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"1\r2\n", b"1" * 21 + b"\n", "\ufeff1\n".encode()])
def test_lines_that_arrow_cannot_parse_are_not_taken(content: bytes) -> None:
    """Nothing is taken of an empty content, a lone CR, a long line, or a line that Arrow would read differently."""
    assert _take(content) is None


def test_unnecessary_quotes_are_removed() -> None:
    """Quotes are removed if no line needs them; one line that needs its quotes keeps those of all lines."""
    bare, quoted = _take(b'"a","b c"\n'), _take(b'"a","b,c"\n"d",e\n')

    assert bare
    assert quoted
    assert (bare.has_quotes, bare.csv.to_pybytes()) == (False, b"a,b c")
    assert (quoted.has_quotes, quoted.cells(",")) == (True, [["a", "b,c"], ["d", "e"]])


@pytest.mark.parametrize("content", [b'1,"a\nb",2\n', b'1,"a\n', b'1,"a"b\n'])
def test_lines_that_are_not_records_have_no_cells(content: bytes) -> None:
    """Records of several lines and invalid quotes have no cells."""
    lines = _take(content)

    assert lines
    assert lines.cells(",") is None


def test_an_incomplete_line_is_left_for_the_next_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chunk that ends within a line yields the complete lines only."""
    monkeypatch.setattr(csv_lines, "CHUNK_BYTES", 6)

    first = _take(b"1,2\n3,4\n")

    assert first
    assert first.taken == 4
    second = _take(b"1,2\n3,4\n", offset=4, line=3)
    assert second
    assert second.numbers.tolist() == [3]


def test_lines_are_chosen_by_a_mask_or_a_pattern() -> None:
    """A chosen line keeps its line number."""
    lines = _take(b"a\nb\nab\n")

    assert lines
    assert lines.matching("a").tolist() == [True, False, True]
    assert lines.kept(np.array([False, True, True])).numbers.tolist() == [3, 4]


def test_a_block_has_room_for_one_row() -> None:
    """A block has at least one row, however long its response is."""
    assert block_rows(2**30, part=2) == 1
