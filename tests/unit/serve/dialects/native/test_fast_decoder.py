"""The fast decoder: its rows are those of the row-by-row decoder, and it decides on no other body."""

import json
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from artifacts import frames
from artifacts.columns import Category, Column
from artifacts.manifest import Manifest
from artifacts.signature import Columns, Signature, Table
from serve.dialects.native.decoder import NativeDecoder
from serve.dialects.native.fast_decoder import Decode, fast_decoder
from serve.errors import InvalidInput
from tests.support.tiny_models import LIMITS


def column(name: str, kind: Any, dtype: str, *known: Any, nullable: bool = False, **more: Any) -> Column:
    """A column, with what it needs."""
    categories = tuple(Category(value=value, count=1) for value in known)
    return Column(name=name, kind=kind, dtype=dtype, nullable=nullable, categories=categories, **more)


NUMBERS = Signature(container="array", columns=tuple(column(name, "float", "float64") for name in "abcd"))
SINGLE = Signature(container="array", columns=(column("a", "float", "float32", nullable=True),))
NARROW = Signature(
    container="frame",
    columns=(
        column("a", "integer", "int8"),
        column("b", "float", "float16"),
        column("c", "float", "float32"),
        column("d", "integer", "uint64"),
    ),
)
MIXED = Signature(
    container="frame",
    columns=(
        column("i", "integer", "int64"),
        column("I", "integer", "Int64", nullable=True),
        column("f", "float", "float64", nullable=True),
        column("F", "float", "Float32", nullable=True),
        column("b", "boolean", "bool"),
        column("B", "boolean", "boolean", nullable=True),
        column("s", "category", "str", "x", 'q"', "ü", nullable=True),
        column("p", "category", "object", "x", "y", nullable=True, unknown="pass"),
        column("n", "category", "category", 1, 2, levels="int64"),
        column("t", "text", "str", nullable=True),
        column("u", "text", "object"),
    ),
)
SHORT = Signature(container="array", columns=(column("t", "text", "U", minimum=1, maximum=3),))
SIGNATURES = {"numbers": NUMBERS, "single": SINGLE, "narrow": NARROW, "mixed": MIXED, "short": SHORT}

# Literals of cells, valid and invalid.
LITERALS = [
    "0",
    "1",
    "-1",
    "2",
    "5.0",
    "5.5",
    "-0",
    "-0.0",
    "0.1",
    "1e2",
    "1E-2",
    "1e+2",
    "127",
    "128",
    "-128",
    "-129",
    "65504",
    "65505",
    "65519",
    "65520",
    "3.4028234e38",
    "3.4028236e38",
    "1e39",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "9007199254740991.5",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999",
    "100000000000000000000",
    "1e20",
    "1e300",
    "1e400",
    "-1e400",
    "4.9e-324",
    "2.2250738585072011e-308",
    "0.30000000000000004",
    "123456789012345678",
    "1.7976931348623157e308",
    "1.7976931348623159e308",
    "NaN",
    "Infinity",
    "-Infinity",
    "true",
    "false",
    "null",
    '"x"',
    '"y"',
    '"ü"',
    '"q\\""',
    '"\\u0078"',
    '"\\ud800"',
    '""',
    '"abcd"',
    '"1"',
    '"instances"',
    '"["',
    '"{"',
    '":"',
    "[]",
    "{}",
    "[1]",
    "01",
    ".5",
    "5.",
    "+5",
    "1_0",
    "0x1",
    "1e",
    "1,2",
]
GOOD: dict[str, list[str]] = {
    "float": ["0", "-0", "-0.0", "1", "5.5", "-3.25e1", "1E2", "0.1"],
    "integer": ["0", "1", "7", "5.0", "100"],
    "boolean": ["true", "false"],
    "text": ['"a"', '""', '"ü:["', '"\\n"'],
}
BLANKS = ["", "", "", " ", "\n", "\t ", "\r\n"]


@st.composite
def bodies(draw: st.DrawFn, signature: Signature) -> bytes:
    """Return a strategy of bodies, about half of them valid, the others invalid in one or several ways."""
    blank = st.sampled_from(BLANKS)

    def cell(of: Column) -> str:
        known = [json.dumps(value, ensure_ascii=False) for value in of.known]
        good = (known or GOOD[of.kind]) + (["null"] if of.nullable else [])
        odd = draw(st.integers(0, 60)) == 0
        return draw(blank) + draw(st.sampled_from(LITERALS if odd else good)) + draw(blank)

    def row(*, by_name: bool) -> str:
        cells = [(of.name, cell(of)) for of in signature.columns]
        if not by_name:
            return f"[{','.join(text for _, text in cells)}]"
        return "{" + ",".join(f'{draw(blank)}"{name}":{text}' for name, text in draw(st.permutations(cells))) + "}"

    by_name = draw(st.booleans())
    rows = [row(by_name=by_name) for _ in range(draw(st.sampled_from([1, 1, 2, 3, 12])))]
    if draw(st.integers(0, 5)) == 0:
        rows[draw(st.integers(0, len(rows) - 1))] = row(by_name=not by_name)
    body = f'{draw(blank)}{{{draw(blank)}"instances"{draw(blank)}:{draw(blank)}[{f",{draw(blank)}".join(rows)}]}}'
    if draw(st.integers(0, 3)):
        return body.encode()
    cut = draw(st.integers(0, len(body)))
    pieces = ['"instances":[],', '"instances":[[1,2,3,4]],', '"a":1,', '"', "e", "-", " ", "1", ",", "[", "]", "{", "}"]
    with_piece = body[:cut] + draw(st.sampled_from(pieces)) + body[cut + draw(st.integers(0, 2)) :]
    return with_piece.encode()


@cache
def row_by_row(signature: Signature) -> NativeDecoder:
    """Return a decoder that always reads row by row."""
    manifest = SimpleNamespace(model="any", signature=signature, examples=SimpleNamespace(instances=()))
    return NativeDecoder(cast(Manifest, manifest), LIMITS)


def checked(signature: Signature, body: bytes) -> Table | None:
    """Return the table of the row-by-row decoder; None if it refuses the body."""
    try:
        return row_by_row(signature)._decode_row_by_row(body, report=False).data
    except InvalidInput:
        return None


def content(signature: Signature, table: Table) -> list[Any]:
    """Return everything in which tables can differ for an estimator: shapes, dtypes, all bits, types of objects."""
    arrays: list[Any] = [table]
    if isinstance(table, Columns):
        arrays = [frames.cast(of, array) for of, array in zip(signature.columns, table.arrays, strict=True)]
    return [
        (array.dtype.kind, array.shape, [(type(value), repr(value)) for value in array.ravel().tolist()])
        for array in arrays
    ]


@cache
def fast(signature: Signature) -> Decode:
    """Return the decoder under test."""
    decode = fast_decoder(signature, max_depth=32, max_rows=LIMITS.max_rows, max_digits=LIMITS.max_digits)
    assert decode is not None
    return decode


def as_table(signature: Signature, rows: Any) -> Table:
    """Return the table that a model gets."""
    return signature.assemble(rows) if isinstance(rows, list) else rows


def assert_same(signature: Signature, body: bytes) -> bool:
    """Check that the fast decoder does not decide, or decodes the rows of the row-by-row decoder."""
    rows = fast(signature)(body)
    if rows is None:
        return False
    expected = checked(signature, body)
    assert expected is not None, body
    assert content(signature, as_table(signature, rows)) == content(signature, expected), body
    return True


@pytest.mark.parametrize("name", SIGNATURES)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_rows_are_those_of_the_row_by_row_decoder(name: str, data: st.DataObject) -> None:
    """For any body, valid or not, of few rows or many: the same values, or no decision."""
    assert_same(SIGNATURES[name], data.draw(bodies(SIGNATURES[name])))


@pytest.mark.parametrize("name", SIGNATURES)
@pytest.mark.parametrize("literal", LITERALS)
@pytest.mark.parametrize("rows", [1, 40])
def test_every_literal_is_decoded_alike(name: str, literal: str, rows: int) -> None:
    """Unusual cells are decoded alike in each kind of column, in small and in large bodies."""
    signature = SIGNATURES[name]
    cells = [(json.dumps(of.known[0]) if of.known else GOOD[of.kind][0]) for of in signature.columns]
    for place in range(len(cells)):
        odd = [*cells[:place], literal, *cells[place + 1 :]]
        vectors = ",".join(f"[{','.join(row)}]" for row in [odd, *[cells] * (rows - 1)])
        # The blanks make a large body of a few rows.
        assert_same(signature, f'{{"instances":{" " * 20 * rows}[{vectors}]}}'.encode())


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 17))
@example(5e-324, 17)
@example(0.1 + 0.2, 17)
def test_a_float_keeps_every_bit(number: float, digits: int) -> None:
    """However a number is written, both parsers of the fast decoder and the row-by-row decoder read the same."""
    text = f"{number:.{digits}e}"
    for rows in (1, 40):
        assert_same(NUMBERS, f'{{"instances":[{",".join([f"[1,{text},3,4]"] * rows)}]}}'.encode())


@pytest.mark.parametrize("name", SIGNATURES)
@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("rows", [1, 3, 40])
def test_valid_bodies_are_decoded(name: str, by_name: bool, rows: int) -> None:
    """The fast decoder decodes valid vectors and objects, few or many."""
    signature = SIGNATURES[name]
    cells = {of.name: of.known[0] if of.known else json.loads(GOOD[of.kind][0]) for of in signature.columns}
    row = dict(reversed(cells.items())) if by_name else list(cells.values())

    for indent in (None, 9):
        assert assert_same(signature, json.dumps({"instances": [row] * rows}, indent=indent).encode())


@pytest.mark.parametrize(
    "body",
    [
        '{"instances":[[1,2,3,4]],"instances":[[1,2,3,4]]}',
        '{"instances":[{"a":1,"b":2,"c":3,"d":4,"a":1}]}',
        '{"inst ances":[[1,2,3,4]]}',
        '{"inst1ances":[[1,2,3,4]]}',
        '{"instance-s":[[1,2,3,4]]}',
        '{"instances":[[1,2,3,4],[1,2,3]]}',
        '{"instances":[[1,2,3,4],[1,2,3,4,5]]}',
        '{"instances":[[1,2,3,4,5],[1,2,3]]}',
        '{"instances":[[1,2,3,4],[1,,3,4]]}',
        '{"instances":[[1,2,3,4],[1 1,2,3,4]]}',
        '{"instances":[[1,2,3,4],[[1],2,3,4]]}',
        '{"instances":[[1,2,3,4]]}}',
        '{"instances":[[1,2,3,4]]',
        '{"instances":[[1,2,3,4]]} 1',
        '{"instances":[[1,2,3,e]]}',
        '{"instances":[]}',
        '{"instances":1}',
        "[[1,2,3,4]]",
        "",
    ],
)
@pytest.mark.parametrize("blanks", [0, 2000])
def test_other_bodies_are_left_to_the_row_by_row_decoder(body: str, blanks: int) -> None:
    """A key that comes twice, a row of another length, a hidden change of the key: no decision, small or large."""
    assert fast(NUMBERS)((body.replace("[", "[" + " " * blanks, 1)).encode()) is None


def test_too_many_rows_are_left_to_the_row_by_row_decoder() -> None:
    """One row beyond the limit is one too many."""
    for rows, is_read in ((LIMITS.max_rows, True), (LIMITS.max_rows + 1, False)):
        for width in (1, 30):
            cell = "1" * min(width, 15)
            body = f'{{"instances":[{",".join([f"[1,2,3,{cell}]"] * rows)}]}}'.encode()
            assert (fast(NUMBERS)(body) is not None) == is_read


def test_a_model_that_no_schema_describes_exactly_has_no_fast_decoder() -> None:
    """Numbers among objects keep their types, and categories of floats are compared one by one."""
    for odd in (
        column("a", "float", "object"),
        column("a", "integer", "object"),
        column("a", "category", "category", 1.5, 2.0, levels="float64"),
    ):
        assert (
            fast_decoder(Signature(container="frame", columns=(odd,)), max_depth=32, max_rows=9, max_digits=64) is None
        )
    assert fast_decoder(NUMBERS, max_depth=2, max_rows=9, max_digits=64) is None


def test_a_table_does_not_share_the_memory_of_the_body() -> None:
    """A decoded table can be modified without a change of the body."""
    body = f'{{"instances":[{",".join(["[1,2,3,4]"] * 40)}]}}'.encode() + b" " * 1024

    table = fast(NUMBERS)(body)

    assert isinstance(table, np.ndarray)
    assert table.flags.writeable
    assert table.flags.c_contiguous


@pytest.mark.parametrize("rows", ["[],[1]", "[]", "[1],[]"])
def test_an_empty_row_of_one_column_is_not_valid(rows: str) -> None:
    """For a model of one column an empty row has the brackets and commas of a valid row, and is still refused."""
    signature = Signature(container="array", columns=(column("a", "float", "float64"),))
    decode = fast_decoder(signature, max_depth=9, max_rows=9, max_digits=9)
    assert decode

    assert decode(f'{{"instances":{" " * 1100}[{rows}]}}'.encode()) is None
