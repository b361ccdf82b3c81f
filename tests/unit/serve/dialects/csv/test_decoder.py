"""Lines that are read at once have the same response, byte for byte, as records that are read one by one."""

import cProfile
import io
import pstats
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from artifacts import Column, Signature
from artifacts.number_formats import NumberFormat
from artifacts.predictions import Predictions, label_map
from artifacts.signature import Batch
from artifacts.values import Fault
from serve.dialects.blocks import encode
from serve.dialects.csv import decoder as csv_decoder
from serve.dialects.csv import lines as csv_lines
from serve.dialects.csv import records as csv_records
from serve.dialects.csv.decoder import CsvDecoder
from serve.dialects.csv.encoder import CsvEncoder
from serve.dialects.csv.options import CsvOptions
from serve.dialects.csv.pass_through import PassedRows
from serve.dialects.ndjson import NdjsonEncoder
from serve.errors import InvalidInput
from tests.support.bodies import HEADER, LINE, table
from tests.support.csv_columns import NAMES, OPTIONS, SIGNATURE, cells

LABELS = ("plain", "a,b", '"=1', "\u2028;")
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


def _digest(batch: Batch) -> NDArray[np.int64]:
    """A number for each good row, which another value, type or dtype anywhere in it would change."""
    arrays = batch.data.T if isinstance(batch.data, np.ndarray) else batch.data.arrays
    rows = zip(*(array.tolist() for array in arrays), strict=True)
    dtypes = [str(array.dtype) for array in arrays]
    return np.array([crc32(repr((dtypes, row)).encode()) for row in rows], dtype=np.int64)


def classify(batch: Batch) -> Predictions:
    """Return classes and probabilities drawn from the digest; every seventh digest has no prediction."""
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


def _answered(
    body: bytes,
    labels: Sequence[object],
    options: CsvOptions = OPTIONS,
    *,
    as_ndjson: bool,
    signature: Signature = SIGNATURE,
) -> tuple[bytes, str]:
    """Return the answer of a classifier with these labels, or of a regressor, and the error that ends it."""
    written: list[bytes] = []
    try:
        source = CsvDecoder(io.BytesIO(body), signature, labels, options)
        names = source.header, labels, labels
        encoder = (
            NdjsonEncoder(*names, max_names_bytes=options.max_cell_bytes)
            if as_ndjson
            else CsvEncoder(*names, source.delimiter, escape_all=options.escape_all)
        )
        written.append(encoder.header)
        for block in source.blocks():
            written.append(encode(encoder, block, (classify if labels else regress)(block.batch)))  # noqa: PERF401
    except InvalidInput as error:
        return b"".join(written), f"{error.code}: {error}"
    return b"".join(written), ""


@st.composite
def lines(draw: st.DrawFn, delimiter: str) -> str:
    """A line of a CSV: valid, with any cell, of another length, quoted, over several lines, blank, or broken."""
    row = [draw(st.sampled_from(RIGHT[name])) for name in [*NAMES, "more"]]
    place = draw(st.integers(0, len(row) - 1))
    kind = draw(st.sampled_from(["valid"] * 12 + ["other"] * 4 + ["short", "long", "quoted", "inside", "blank"]))
    if kind == "other":
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
@given(body=bodies(), labels=st.sampled_from([LABELS, ()]), as_ndjson=st.booleans(), escape_all=st.booleans())
def test_lines_have_the_same_response_as_records(
    body: bytes, labels: Sequence[object], as_ndjson: bool, escape_all: bool
) -> None:
    """Bytes and errors are the same for any cells, quotes, blank lines, line breaks and borders of blocks."""
    options = replace(OPTIONS, escape_all=escape_all)

    found, error = _answered(body, labels, options, as_ndjson=as_ndjson)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_decoder, "take", lambda *_, **__: None)
        wanted, wanted_error = _answered(body, labels, options, as_ndjson=as_ndjson)
    # A row that is too large ends the answer only in the first block, and blocks end elsewhere.
    if not (error + wanted_error).startswith("csv-cell-too-large"):
        assert error == wanted_error
    # Where an error ends the answer, more or fewer blocks may precede it.
    is_whole = not error and not wanted_error
    assert found == wanted if is_whole else found.startswith(wanted) or wanted.startswith(found)


def test_decimal_commas_are_no_delimiters_to_a_model_that_reads_them() -> None:
    """A header of one name has no delimiter that would show which one it is."""
    weight = Column(name="weight", kind="float", dtype="float64", nullable=False, numbers=NumberFormat(decimal=","))
    signature = Signature(container="frame", columns=(weight,))

    answered, error = _answered(b"weight\n63,41\n", (), as_ndjson=True, signature=signature)

    assert error == ""
    assert answered.startswith(b'{"weight":"63,41","prediction":')
    assert b'"error":null' in answered


FLOWER = Signature(
    container="array",
    columns=tuple(Column(name=name, kind="float", dtype="float64", nullable=False) for name in HEADER.split(",")),
)


def _shares(body: bytes, **more: Any) -> list[tuple[int, int]]:
    """Return for each block how many rows were read at once, and how many one by one."""
    rows = [block.passed for block in CsvDecoder(io.BytesIO(body), FLOWER, (), replace(OPTIONS, **more)).blocks()]
    return [(len(each.is_line) - len(each.cells), len(each.cells)) for each in rows if isinstance(each, PassedRows)]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("line", [LINE, '"5.1","3.5","1.4","0.2"', "5,3,1,0", "5e0,.5,5.,-1", "+5.1,3.5,1.4,0.2"])
def test_valid_rows_are_read_at_once(line: str, end: str) -> None:
    """No row of a valid table is read one by one."""
    assert _shares(table(*[line] * 20, end=end)) == [(9, 0), (9, 0), (2, 0)]


@pytest.mark.parametrize("other", ["x,1,1,1", ",1,1,1", "1,1,1", "inf,1,1,1", '"1,0",1,1,1', "-0,1,1,1"])
def test_one_invalid_row_does_not_slow_down_others(other: str) -> None:
    """Only the invalid row of the block is read one by one."""
    assert _shares(table(*[LINE] * 4, other, *[LINE] * 8)) == [(8, 1), (4, 0)]


@pytest.mark.parametrize("other", ['"1\n",1,1,1', "1,1,1,1\r\r", '1,"1\n2\n3",1,1'])
def test_after_a_record_of_several_lines_rows_are_read_at_once_again(other: str) -> None:
    """A record of several lines slows down only its own block, not the rest of the file."""
    first, *others = _shares(table(*[LINE] * 3, other, *[LINE] * 20))

    assert first == (0, 4)
    assert sum(plain for plain, _ in others) == 20


def test_only_cells_that_might_be_escaped_are_read_one_by_one() -> None:
    """If all cells are escaped, only rows with cells that begin like a formula are read one by one."""
    assert _shares(table(*[LINE] * 8, "-5,1,1,1"), escape_all=True) == [(8, 1)]


BAD = ["a", "x,x,x,x", ",,,", '""""""', "1,1,1,1,1", "x,1,1,1"]


@pytest.mark.parametrize("bad", BAD)
def test_invalid_rows_are_not_read_by_the_reader_of_records(bad: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If every row is invalid, none is read by the reader of records, which reads a file line by line."""
    monkeypatch.setattr(CsvDecoder, "_from_records", lambda _: None)

    assert _shares(table(*[bad] * 10)) == [(0, 4), (0, 4), (0, 2)]


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_row_takes_few_steps(bad: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invalid rows cannot keep a server busy: each takes a few function calls, not some per cell."""
    monkeypatch.setattr(csv_lines, "CHUNK_ROWS", 10_000)
    monkeypatch.setattr(csv_lines, "CHUNK_BYTES", 2**18)
    body = table(*[bad] * 10_000)

    with cProfile.Profile() as profile:
        answered, error = _answered(body, LABELS, as_ndjson=False, signature=FLOWER)

    assert (answered.count(b"\n"), error) == (10_001, "")
    assert pstats.Stats(profile).total_calls < 20 * 10_000  # type: ignore[attr-defined]  # typeshed leaves it out
