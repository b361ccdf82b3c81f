"""Rows that are read and written at once are answered, byte for byte, as those that are read one by one."""

import cProfile
import io
import pstats
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from zlib import crc32

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic_core import to_json

from artifacts import Column, Signature
from artifacts.columns import Category
from artifacts.number_formats import NumberFormat
from artifacts.predictions import Predictions, label_map
from artifacts.signature import Batch
from artifacts.values import Fault
from serve.dialects.csv import csv_lines, csv_records, csv_source
from serve.dialects.csv.answer import Asked, CsvAnswer
from serve.dialects.csv.blocks import PlainBlock, RecordBlock
from serve.dialects.csv.cells import reader
from serve.dialects.csv.csv_lines import LineLimits
from serve.dialects.csv.csv_source import CsvSource
from serve.dialects.csv.decimals import decimals
from serve.dialects.csv.options import CsvOptions
from serve.dialects.csv.plain_cells import cast_of
from serve.errors import InvalidInput
from tests.support.bodies import HEADER, LINE, table

LABELS = ("plain", "a,b", '"=1', "\u2028;")
OPTIONS = CsvOptions(max_columns=100, max_cell_bytes=200, max_digits=20, escape_all=False)
COLOURS = tuple(Category(value=value, count=1) for value in ("red", "NA", "dark blue"))
SIZES = tuple(Category(value=value, count=1) for value in (1, 5, -9))
PRICES = NumberFormat(decimal=",", thousands=".", percent=True, currency="€", parentheses=True)
COLUMNS = (
    Column(name="length", kind="float", dtype="float64", nullable=False),
    Column(name="width", kind="float", dtype="float32", nullable=True),
    Column(name="count", kind="integer", dtype="int8", nullable=False),
    Column(name="many", kind="integer", dtype="Int64", nullable=True),
    Column(name="flag", kind="boolean", dtype="bool", nullable=False),
    Column(name="colour", kind="category", dtype="str", levels="str", nullable=True, categories=COLOURS),
    Column(name="size", kind="category", dtype="category", levels="int64", nullable=False, categories=SIZES),
    Column(name="note", kind="text", dtype="object", nullable=True),
    Column(name="price", kind="float", dtype="float64", nullable=True, numbers=PRICES),
    Column(name="visits", kind="integer", dtype="int64", nullable=False, numbers=NumberFormat(thousands=",")),
)  # fmt: skip
NAMES = [column.name for column in COLUMNS]
# In every kind of column: what is right there, and what is right nowhere or only for a reader that knows our rules.
RIGHT = {
    "length": ["5.1", "-0.5", "1e-7", "12"],
    "width": ["2.5", "3", "0.1", "16777217"],
    "count": ["7", "-128", "127", "5.0"],
    "many": ["9007199254740993", "12", "-3", "1e3"],
    "flag": ["true", "False", "1", "0"],
    "colour": ["red", "NA", "dark blue"],
    "size": ["1", "5", "-9"],
    "note": ["quick", "é", "a b", "NA"],
    "price": ["12.5%", "€1.200%", "(5%)", "-7 €%", "-9", ""],
    "visits": ["1200", "7", "5.0", "-3"],
    "more": ["", "x", "NA", "ü"],
}
ODD = [
    "", " ", "NA", " NA", "-9", " -9 ", "-9.0", "+5", ".5", "5.", " 5 ", "\t5", "007", "-0", "-0.0", "0", "inf", "-inf",
    "nan", "NaN", "nan(1)", "Infinity", "1e400", "1e-400", "1e39", "0x10", "1_0", "1e", "5f", "128", "5.5", "1e2",
    "9" * 21, "9" * 400, "9007199254740992", "9223372036854775808", "tRue", " true", "Red", "1.0", "5.00", "=1+1", "@x",
    "\uff1d1", "\uff0b1", "\uff0d1", "\uff20x",
    "-x", "+", "'", "\\", "\x01", "\x0b5", "\x85", "\u2028", "\ufeff", "\ufeff5", "\xa05", "٣", "5 1", "\U0001f600",
    "c" * 200, "c" * 201, "6.341", "63.41", "1.234%", "12.34%", "0.5%", "%", "€", "()", "(5)", "1 000",
]  # fmt: skip
cells = st.sampled_from(ODD) | st.text("+-.eE019xinfaNA \t_", max_size=5)


def _digest(batch: Batch) -> NDArray[np.int64]:
    """A number for each good row, which another value, type or dtype anywhere in it would change."""
    arrays = batch.data.T if isinstance(batch.data, np.ndarray) else batch.data.arrays
    rows = zip(*(array.tolist() for array in arrays), strict=True)
    dtypes = [str(array.dtype) for array in arrays]
    return np.array([crc32(repr((dtypes, row)).encode()) for row in rows], dtype=np.int64)


def classify(batch: Batch) -> Predictions:
    """Classes and probabilities drawn from the digest; to every seventh digest there is no answer."""
    digest = np.full(len(batch.good), -1)
    digest[batch.good] = _digest(batch)
    refused = np.flatnonzero((digest % 7 == 0) & batch.good)
    predicted = np.where((digest < 0) | (digest % 7 == 0), -1, digest % len(LABELS))
    spread = np.where(digest < 0, np.nan, digest)[:, None] / [1, 3, 2**32, 1e12]
    found = [Fault("no-answer", "no answer", refused)] if refused.size else []
    return Predictions(predicted, spread, label_map(LABELS), (*batch.faults, *found))


def regress(batch: Batch) -> Predictions:
    """Numbers of all sizes drawn from the digest."""
    numbers = np.full(len(batch.good), np.nan)
    digest = _digest(batch)
    numbers[batch.good] = digest * 10.0 ** (digest % 40 - 20)
    return Predictions(numbers, faults=batch.faults)


SIGNATURE = Signature(container="frame", columns=COLUMNS, csv_nulls=("NA", "-9"))
CLASSIFIER = Asked(SIGNATURE, LABELS, has_probabilities=True)
REGRESSOR = Asked(SIGNATURE, (), has_probabilities=False)


def _answered(body: bytes, asked: Asked, options: CsvOptions, *, as_ndjson: bool) -> tuple[bytes, str]:
    """What is answered, and the error that ends it."""
    written: list[bytes] = []
    try:
        answer = CsvAnswer(io.BytesIO(body), asked, options, as_ndjson=as_ndjson)
        written.append(answer.header())
        while answer.read():
            written.append(answer.write(classify if asked.classes else regress))
    except InvalidInput as error:
        return b"".join(written), f"{error.code}: {error}"
    return b"".join(written), ""


@st.composite
def lines(draw: st.DrawFn, delimiter: str) -> str:
    """A line of a CSV: plain, odd in one cell, of another length, quoted, over several lines, blank, or broken."""
    row = [draw(st.sampled_from(RIGHT[name])) for name in [*NAMES, "more"]]
    place = draw(st.integers(0, len(row) - 1))
    kind = draw(st.sampled_from(["plain"] * 12 + ["odd"] * 4 + ["short", "long", "quoted", "inside", "blank"]))
    if kind == "odd":
        row[place] = draw(cells)
    if kind in {"quoted", "inside"}:
        inner = draw(st.sampled_from(["", "5", 'say ""x""', "a\nb", "a\r\nb", "a\rb", f"a{delimiter}b", "=1"]))
        row[place] = f'"{inner}"' if kind == "quoted" else f'5"{inner}'
    if kind == "blank":
        return draw(st.sampled_from(["", " "]))
    return delimiter.join({"short": row[:place], "long": [*row, "x"]}.get(kind, row))


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A CSV of such lines, with line breaks of one kind, rarely of several."""
    delimiter = draw(st.sampled_from(",;\t"))
    count = draw(st.integers(1, 30))
    ends = draw(st.sampled_from([["\n"], ["\r\n"], ["\n", "\r\n"], ["\n"] * 20 + ["\r"]]))
    rows = [draw(lines(delimiter)) + draw(st.sampled_from(ends)) for _ in range(count)]
    if draw(st.sampled_from([False] * 3 + [True])):
        # As some programs write every text, or every cell.
        rows = [re.sub(draw(st.sampled_from(["[a-zé]+", r"[^\n\r\t;,]+"])), r'"\g<0>"', row) for row in rows]
    body = delimiter.join([*NAMES, "more"]) + "\n" + "".join(rows)
    return (draw(st.sampled_from(["", "\ufeff"])) + (body if draw(st.booleans()) else body.rstrip("\r\n"))).encode()


@pytest.fixture(scope="module", autouse=True)
def small_blocks() -> Iterator[None]:
    """Blocks of a few rows, so that a short table has many borders."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_lines, "CHUNK_BYTES", 512)
        patch.setattr(csv_lines, "CHUNK_ROWS", 9)
        patch.setattr(csv_records, "BLOCK_ROWS", 4)
        yield


@settings(max_examples=250, deadline=None)
@given(body=bodies(), asked=st.sampled_from([CLASSIFIER, REGRESSOR]), as_ndjson=st.booleans(), escape_all=st.booleans())
def test_many_at_once_are_answered_as_one_by_one(body: bytes, asked: Asked, as_ndjson: bool, escape_all: bool) -> None:
    """Plain rows, odd ones, quotes, blank lines, every line break, wherever blocks end: the same bytes and errors."""
    options = replace(OPTIONS, escape_all=escape_all)

    found, error = _answered(body, asked, options, as_ndjson=as_ndjson)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_source, "take", lambda *_: None)
        wanted, wanted_error = _answered(body, asked, options, as_ndjson=as_ndjson)
    assert error == wanted_error
    # Where an error ends the answer, it may have gone on for longer or less long.
    assert found == wanted if not error else found.startswith(wanted) or wanted.startswith(found)


@settings(max_examples=250, deadline=None)
@given(texts=st.lists(cells, min_size=1, max_size=4), place=st.integers(0, len(COLUMNS) - 1))
def test_a_cell_is_read_at_once_as_it_is_by_itself_or_left_out(texts: list[str], place: int) -> None:
    """Whatever the quick reader takes for right has the very value that the check gives it."""
    column = COLUMNS[place]
    nulls = frozenset(SIGNATURE.csv_nulls)
    plain, good = cast_of(column, reader(column, nulls), nulls, OPTIONS)(pa.array(texts, pa.string()))
    signature = Signature(container="frame", columns=(column,))

    batch = signature.check([reader(column, nulls)(texts)], max_digits=OPTIONS.max_digits)

    assert not (good & ~batch.good).any()
    [checked] = batch.data.arrays if not isinstance(batch.data, np.ndarray) else batch.data.T
    assert plain.dtype == checked.dtype
    assert list(map(repr, plain[good].tolist())) == list(map(repr, checked[good[batch.good]].tolist()))


def test_decimal_commas_are_no_delimiters_to_a_model_that_reads_them() -> None:
    """A header of one name has no delimiter that would show which one it is."""
    weight = Column(name="weight", kind="float", dtype="float64", nullable=False, numbers=NumberFormat(decimal=","))
    asked = replace(REGRESSOR, signature=Signature(container="frame", columns=(weight,)))

    answered, error = _answered(b"weight\n63,41\n", asked, OPTIONS, as_ndjson=True)

    assert error == ""
    assert answered.startswith(b'{"weight":"63,41","prediction":')
    assert b'"error":null' in answered


FLOWER = Signature(
    container="array",
    columns=tuple(Column(name=name, kind="float", dtype="float64", nullable=False) for name in HEADER.split(",")),
)


def _shares(body: bytes, **more: Any) -> list[tuple[int, int]]:
    """Of each block how many rows were read at once, and how many one by one."""
    source = CsvSource(io.BytesIO(body), FLOWER, (), replace(OPTIONS, **more))
    return [
        (len(block.lines.numbers), len(block.odd.cells) if block.odd else 0)
        if isinstance(block, PlainBlock)
        else (0, len(block.cells))
        for block in source.blocks()
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("line", [LINE, '"5.1","3.5","1.4","0.2"', "5,3,1,0", "5e0,.5,5.,-1", "+5.1,3.5,1.4,0.2"])
def test_plain_rows_are_read_at_once(line: str, end: str) -> None:
    """None of a table of such rows is read by itself."""
    assert _shares(table(*[line] * 20, end=end)) == [(9, 0), (9, 0), (2, 0)]


@pytest.mark.parametrize("odd", ["x,1,1,1", ",1,1,1", "1,1,1", "inf,1,1,1", '"1,0",1,1,1', "-0,1,1,1"])
def test_one_odd_row_costs_its_neighbours_nothing(odd: str) -> None:
    """Only the odd row of a block is read by itself."""
    assert _shares(table(*[LINE] * 4, odd, *[LINE] * 8)) == [(8, 1), (4, 0)]


@pytest.mark.parametrize("odd", ['"1\n",1,1,1', "1,1,1,1\r\r", '1,"1\n2\n3",1,1'])
def test_after_an_odd_record_rows_are_read_at_once_again(odd: str) -> None:
    """A record of several lines costs the block that it is in, and not the rest of the file."""
    first, *others = _shares(table(*[LINE] * 3, odd, *[LINE] * 20))

    assert first == (0, 4)
    assert sum(plain for plain, _ in others) == 20


def test_only_cells_that_might_be_escaped_are_read_one_by_one() -> None:
    """Where all cells are to be kept from running, those that begin like a formula get a closer look."""
    assert _shares(table(*[LINE] * 8, "-5,1,1,1"), escape_all=True) == [(8, 1)]


BAD = ["a", "x,x,x,x", ",,,", '""""""', "1,1,1,1,1", "x,1,1,1"]


@pytest.mark.parametrize("bad", BAD)
def test_bad_rows_are_read_together_too(bad: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every row is wrong, none is read by the reader of records, which takes the file line by line."""
    monkeypatch.setattr(CsvSource, "_record_block", lambda _: None)

    assert _shares(table(*[bad] * 10)) == [(0, 4), (0, 4), (0, 2)]


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_row_takes_few_steps(bad: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody keeps a server busy with rows that are wrong: each takes a few calls of functions, not some per cell."""
    monkeypatch.setattr(csv_lines, "CHUNK_ROWS", 10_000)
    monkeypatch.setattr(csv_lines, "CHUNK_BYTES", 2**18)
    body = table(*[bad] * 10_000)
    asked = Asked(FLOWER, LABELS, has_probabilities=True)

    with cProfile.Profile() as profile:
        answered, error = _answered(body, asked, OPTIONS, as_ndjson=False)

    assert (answered.count(b"\n"), error) == (10_001, "")
    assert pstats.Stats(profile).total_calls < 20 * 10_000  # type: ignore[attr-defined]  # typeshed leaves it out


def test_a_block_has_room_for_one_row() -> None:
    """However long an answer is, and however small a part of a block is asked for, there is a row in it."""
    assert LineLimits(max_bytes=1, answered=2**30, delimiter=",", part=2).rows == 1


@given(
    found=st.lists(
        st.tuples(st.sampled_from([None, "a", "b"]), st.text("xyz", min_size=1), st.sets(st.integers(0, 5)))
    ),
    long=st.booleans(),
)
def test_a_row_is_told_each_of_its_mistakes(found: list[tuple[str | None, str, set[int]]], long: bool) -> None:
    """In the order in which they were found, whatever other rows share them, up to a length."""
    size = 900 if long else 1
    faults = [Fault("code", text * size, np.array(sorted(rows), dtype=np.intp), name) for name, text, rows in found]
    good = np.ones(6, dtype=bool)
    block = RecordBlock([[]] * 6, [2, 3, 5, 7, 8, 9], Batch(np.empty((6, 1)), good, tuple(faults)))

    told = block.errors(faults)

    for row, line in enumerate(block.lines):
        messages = [f"{name}: {text * size}" if name else text * size for name, text, rows in found if row in rows]
        lengths = np.cumsum([len(message) for message in messages])
        most = max(1, int(np.count_nonzero(lengths <= 2_000)))
        rest = [f"and {len(messages) - most} more"] if most < len(messages) else []
        assert told[row] == (f"line {line}: {'; '.join([*messages[:most], *rest])}" if messages else "")


numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(rows=st.lists(st.tuples(numbers, numbers), min_size=1), lead=st.sampled_from(",;\t:"))
def test_numbers_are_written_as_in_json_and_read_back_equal(rows: list[tuple[float, float]], lead: str) -> None:
    """Of each row one text, of which each number is the same to the last bit, its sign included."""
    texts = decimals(np.array(rows), lead).to_pylist()

    assert texts == ["".join(f"{lead}{to_json(value).decode()}" for value in row) for row in rows]
    read = [tuple(map(float, re.split(lead, text)[1:])) for text in texts]
    assert list(map(repr, read)) == list(map(repr, rows))
