"""The parsing of JSON bodies: what is accepted, and what is refused before it costs anything."""

from typing import Any

import pytest

from artifacts.values import FloatLiteral
from serve.errors import InvalidInput
from serve.http.json_body import parse, parse_exactly


def parsed(body: bytes) -> object:
    """Parse a body with small limits."""
    return parse(body, max_depth=4, max_rows=2)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": [1, 2.5, null, true], "b": {"a": "x"}}', {"a": [1, 2.5, None, True], "b": {"a": "x"}}),
        (b'{"a": "[[[[[[ :: \\" ]"}', {"a": '[[[[[[ :: " ]'}),
        (b'{"\\\\": 1, "b": [{"c": 1}, {"c": 2}]}', {"\\": 1, "b": [{"c": 1}, {"c": 2}]}),
        (b'"text"', "text"),
        (b'["a", "b"]', ["a", "b"]),
        (b'{"a": "' + b"[" * 300_000 + b'"}', {"a": "[" * 300_000}),
    ],
    ids=["nested", "brackets in a string", "escapes", "text", "list", "longer than a chunk"],
)
def test_valid_json_is_parsed(body: bytes, value: object) -> None:
    """Brackets, colons and quotes inside of strings count for nothing."""
    assert parsed(body) == value


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed-json"),
        (b"{", "malformed-json"),
        (b"\xff", "malformed-json"),
        (b"[" * 100_000, "json-depth"),
        (b"[[[[[1]]]]]", "json-depth"),
        (b"[" + b"[]," * 400 + b"[]]", "too-many-rows"),
        (b'{"a": 1, "a": 1}', "duplicate-key"),
        (b'{"b": [{"a": 1, "a": 2}]}', "duplicate-key"),
        (b"[1" + b"0" * 5000 + b"]", "integer-too-long"),
    ],
)
def test_other_bodies_are_refused(body: bytes, code: str) -> None:
    """Each has a code that says what is wrong."""
    with pytest.raises(InvalidInput) as refused:
        parsed(body)

    assert refused.value.code == code


def test_exact_parsing_keeps_the_text_of_floats() -> None:
    """A float is a literal with its text, also NaN and infinities; other values are the usual ones."""
    numbers: Any = parse_exactly(b"[1.10, -Infinity, 3]")
    number, infinity, integer = numbers

    assert [str(number), str(infinity)] == ["1.10", "-Infinity"]
    assert isinstance(number, FloatLiteral)
    assert integer == 3
