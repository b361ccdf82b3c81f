"""A JSON body by itself, against the standard library's parser."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from artifacts.number_formats import FloatLiteral
from serve.errors import InvalidInput
from serve.http.json_body import parse, parse_exactly

DEPTH, ROWS = 32, 1000

texts = st.text(st.sampled_from('[]{}:,"\\ \n\0aé\U0001f338'), max_size=6)
scalars = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False) | texts
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=20
)


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max(map(_depth, inner), default=0) if isinstance(value, dict | list) else 0


def _code(body: bytes, *, max_depth: int = DEPTH, max_rows: int = ROWS) -> str:
    with pytest.raises(InvalidInput) as caught:
        parse(body, max_depth=max_depth, max_rows=max_rows)
    return caught.value.code


@given(value=documents, is_ascii=st.booleans(), indent=st.sampled_from([None, 1]))
def test_a_document_is_what_the_standard_library_says(value: Any, is_ascii: bool, indent: int | None) -> None:
    """Whatever stands in its texts, a document without mistakes is parsed to what it says."""
    body = json.dumps(value, ensure_ascii=is_ascii, indent=indent).encode()

    assert parse(body, max_depth=DEPTH, max_rows=ROWS) == value


@given(value=documents.filter(_depth))
def test_depth_is_counted_exactly(value: Any) -> None:
    """A document passes at its own depth and is refused below it, brackets in texts not counted."""
    body = json.dumps(value).encode()

    assert parse(body, max_depth=_depth(value), max_rows=ROWS) == value
    assert _code(body, max_depth=_depth(value) - 1) == "json-depth"


@given(key=texts, first=documents, second=documents, other=documents)
@example(key="", first={"a": 1}, second=[], other={"b": 1})
@example(key="a", first=1, second={"b": {"c": 1}}, other=None)
def test_a_key_twice_is_found(key: str, first: Any, second: Any, other: Any) -> None:
    """A key that comes twice is refused, whatever its values, its spelling and its neighbours."""
    name, escaped = (
        json.dumps(key),
        '"' + "".join(f"\\u{ord(letter):04x}" for letter in key if ord(letter) < 2**16) + '"',
    )
    again = escaped if json.loads(escaped) == key else name
    twice = f"{{{name}: {json.dumps(first)}, {again}: {json.dumps(second)}}}"

    assert _code(f"[{json.dumps(other)}, {twice}]".encode()) == "duplicate-key"


@given(body=st.binary(max_size=40) | st.text('[]{}:,"\\ 1aNe-.', max_size=30).map(str.encode))
@example(body=b'"\\')
@example(body=b'{"a":1,"a\\":[[[[')
def test_any_bytes_are_parsed_or_refused(body: bytes) -> None:
    """There is no third way, and what passes is what the standard library reads."""
    assert _parsed(body) in {_read(body), "malformed-json", "duplicate-key"}


def _parsed(body: bytes) -> str:
    try:
        return repr(parse(body, max_depth=DEPTH, max_rows=ROWS))
    except InvalidInput as error:
        return error.code


def _read(body: bytes) -> str:
    try:
        return repr(json.loads(body))
    except ValueError:
        return "no JSON"


@pytest.mark.parametrize("place", [2**17 - 2, 2**17 - 1, 2**17, 2**17 + 1])
@pytest.mark.parametrize("text", ['"[[[["', '"\\"[[[["', '"\\\\"', '"'])
def test_where_a_body_is_cut_does_not_matter(text: str, place: int) -> None:
    """A text across the border of what is looked at in one go is a text on both sides."""
    body = b"[" + b" " * place + f"{text if len(text) > 1 else json.dumps('[' * 9)},[[1]]]".encode()

    assert parse(body, max_depth=3, max_rows=ROWS) == json.loads(body)
    assert _code(body, max_depth=2) == "json-depth"


def test_far_more_lists_than_rows_are_not_parsed() -> None:
    """200 lists or objects a row are looked at, and not one more; the rows themselves are counted elsewhere."""
    body = json.dumps([[]] * 199).encode()

    assert parse(body, max_depth=2, max_rows=1) == [[]] * 199
    assert _code(json.dumps([[]] * 200).encode(), max_rows=1) == "too-many-rows"


def test_exact_parsing_keeps_the_text_of_floats() -> None:
    """A float is a literal with its text, also NaN and infinities; other values are the usual ones."""
    numbers: Any = parse_exactly(b"[1.10, -Infinity, 3]")
    number, infinity, integer = numbers

    assert [str(number), str(infinity)] == ["1.10", "-Infinity"]
    assert isinstance(number, FloatLiteral)
    assert integer == 3
