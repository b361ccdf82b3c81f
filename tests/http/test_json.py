"""JSON bodies over HTTP: which are refused as a whole, with which status, and without log lines or values."""

import json
from collections.abc import Iterator

import pytest

from tests.support.bodies import (
    CANARY,
    RECORD,
    ROW,
    as_json,
    assert_refused_in_silence,
    cell,
    instances,
    mistakes,
)
from tests.support.server import Api, slug

DEEP = 100_000
GOOD = cell("0.2")

NOT_JSON = {
    "empty": b"",
    "blank": b" \r\n\t",
    "text": CANARY.encode(),
    "truncated": GOOD[:-1],
    "truncated in a string": b'{"' + CANARY.encode(),
    "comma before a bracket": instances("[[5.1, 3.5, 1.4, 0.2,]]"),
    "comma for a colon": b'{"instances", [[5.1, 3.5, 1.4, 0.2]]}',
    "key without quotes": b"{instances: [[5.1, 3.5, 1.4, 0.2]]}",
    "single quotes": b"{'instances': [[5.1, 3.5, 1.4, 0.2]]}",
    "two documents": GOOD + GOOD,
    "comment": GOOD + b" // " + CANARY.encode(),
    "brackets crossed": b'{"instances": [[5.1, 3.5, 1.4, 0.2}]]',
    "closed too often": GOOD + b"]",
    "two commas": instances("[[5.1,, 3.5, 1.4, 0.2]]"),
    "a comma at first": instances("[[, 5.1, 3.5, 1.4, 0.2]]"),
    "a comma at the end": GOOD + b",",
    "a colon in a list": instances("[[5.1: 3.5, 1.4, 0.2]]"),
    "no colon": b'{"instances" [[5.1, 3.5, 1.4, 0.2]]}',
    "a key that is a number": b"{1: [[5.1, 3.5, 1.4, 0.2]]}",
    "a form feed": b"\x0c" + GOOD,
    "a space that does not break": b"\xc2\xa0" + GOOD,
    "an escape cut short": cell('"\\u00A"'),
    "a tab in a string": cell(f'"{CANARY}\t"'),
    "a blank within a number": cell("1 000"),
    "two signs": cell("--1"),
    "two points": cell("1.2.3"),
    "an exponent with a point": cell("1e0.5"),
    "backslash outside of a string": b'{\\"instances": [[5.1, 3.5, 1.4, 0.2]]}',
    "leading zero": cell("01"),
    "plus": cell("+1"),
    "no digit before the point": cell(".5"),
    "no digit after the point": cell("5."),
    "no exponent": cell("1e"),
    "hexadecimal": cell("0x1F"),
    "underscore": cell("1_000"),
    "minus NaN": cell("-NaN"),
    "nan in lower case": cell("nan"),
    "inf": cell("inf"),
    "True": cell("True"),
    "None": cell("None"),
    "other digits": cell("\uff11"),
    "line break in a string": cell(f'"{CANARY}\n"'),
    "NUL in a string": cell(f'"{CANARY}\0"'),
    "NUL behind": GOOD + b"\0",
    "bad escape": cell(f'"{CANARY}\\x41"'),
    "lone surrogate": cell(f'"{CANARY}\\ud800"'),
    "byte order mark": b"\xef\xbb\xbf" + GOOD,
    "UTF-16": GOOD.decode().encode("utf-16"),
    "UTF-16 without a mark": GOOD.decode().encode("utf-16-le"),
    "UTF-32": GOOD.decode().encode("utf-32"),
    "latin-1": cell(f'"{CANARY}\xe9"').decode().encode("latin-1"),
    "overlong UTF-8": cell('"?"').replace(b"?", b"\xc0\xaf"),
    "a surrogate in UTF-8": cell('"?"').replace(b"?", b"\xed\xa0\x80"),
    "half a character": cell('"?"').replace(b"?", b"\xe2\x82"),
    "gzip": bytes.fromhex("1f8b0800000000000003"),
}
TOO_DEEP = {
    "lists": b"[" * DEEP,
    "lists that close": b"[" * DEEP + b"]" * DEEP,
    "objects": b'{"a":' * DEEP,
    "33 objects": b'{"a":' * 33 + b"1" + b"}" * 33,
    "33 levels in a cell": cell("[" * 30 + "]" * 30),
    "under another name": GOOD[:-1] + b', "x": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "behind brackets in a string": b'["' + b"]" * DEEP + b'",' + b"[" * 32,
    "behind an escaped quote": b'["\\"",' + b"[" * 32,
}
WRONG_SHAPE = {
    "null": (b"null", "invalid-body"),
    "number": (b"5", "invalid-body"),
    "text": (f'"{CANARY}"'.encode(), "invalid-body"),
    "list": (b"[[5.1, 3.5, 1.4, 0.2]]", "invalid-body"),
    "empty list": (b"[]", "invalid-body"),
    "empty object": (b"{}", "invalid-body"),
    "another key": (f'{{"{CANARY}": [[5.1, 3.5, 1.4, 0.2]]}}'.encode(), "invalid-body"),
    "one key more": (GOOD[:-1] + f', "{CANARY}": 1}}'.encode(), "invalid-body"),
    "instances twice": (GOOD[:-1] + b", " + GOOD[1:], "duplicate-key"),
    "column twice": (instances('[{"sepal_length": 1, "sepal_length": 1}]'), "duplicate-key"),
    "column twice, once escaped": (instances(r'[{"sepal_length": 1, "\u0073epal_length": 1}]'), "duplicate-key"),
    "key twice in a cell": (cell('[{"a": {}}, {"a": 1, "a": 2}]'), "duplicate-key"),
    "instances null": (instances("null"), "invalid-instances"),
    "instances a text": (instances(f'"{CANARY}"'), "invalid-instances"),
    "instances an object": (instances(json.dumps(RECORD)), "invalid-instances"),
    "no row": (instances("[]"), "no-rows"),
    "flat vector": (instances("[5.1, 3.5, 1.4, 0.2]"), "flat-vector"),
    "flat vector of texts": (instances(f'["{CANARY}"]'), "flat-vector"),
    "vectors next to objects": (instances(f"[[5.1, 3.5, 1.4, 0.2], {json.dumps(RECORD)}]"), "mixed-instances"),
    "1,001 rows": (as_json([ROW] * 1001), "too-many-rows"),
    "100,000 short rows": (instances("[" + ",".join(["[1,2]"] * 100_000) + "]"), "too-many-rows"),
    "a million empty rows": (instances("[" + ",".join(["[]"] * 1_000_000) + "]"), "too-many-rows"),
    "1,025 values": (as_json([[1] * 1025]), "too-many-features"),
    "100,000 values": (as_json([[1] * 100_000]), "too-many-features"),
    "1,025 names": (json.dumps({"instances": [{f"c{i}": 1 for i in range(1025)}]}).encode(), "too-many-features"),
    "5,000 digits": (cell("9" * 5000), "integer-too-long"),
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
def test_an_invalid_json_body_is_400(api: Api, body: bytes) -> None:
    """A body that is not JSON in UTF-8 is refused before its values are checked."""
    answer = api.post_json(body)

    assert answer.status_code == 400
    assert slug(answer) == "malformed-json"
    assert_refused_in_silence(api, answer)


@pytest.mark.parametrize("body", TOO_DEEP.values(), ids=TOO_DEEP)
def test_deep_nesting_is_400(api: Api, body: bytes) -> None:
    """More than 32 levels are refused anywhere in the body, before any code recurses into them."""
    answer = api.post_json(body)

    assert answer.status_code == 400
    assert slug(answer) == "json-depth"
    assert_refused_in_silence(api, answer)


@pytest.mark.parametrize(("body", "code"), WRONG_SHAPE.values(), ids=WRONG_SHAPE)
def test_a_body_of_another_shape_is_422(api: Api, body: bytes, code: str) -> None:
    """JSON that is not an object with a list of rows in it is refused as a whole, with a slug for its fault."""
    answer = api.post_json(body)

    assert answer.status_code == 422
    assert slug(answer) == code
    assert_refused_in_silence(api, answer)


def test_brackets_in_texts_are_not_counted_as_nesting(api: Api) -> None:
    """A text of brackets and escaped quotes adds no level."""
    answer = api.post_json(cell(json.dumps('["\\' * 1000)))

    assert mistakes(answer) == [(0, "petal_width", "not-a-number")]


def test_32_levels_are_not_too_deep(api: Api) -> None:
    """A body at the limit of nesting is parsed, and the nested cell is refused like any other."""
    answer = api.post_json(cell("[" * 29 + "]" * 29))

    assert mistakes(answer) == [(0, "petal_width", "not-a-number")]


def test_1000_rows_are_not_too_many(api: Api) -> None:
    """A request with as many rows as the limit is predicted."""
    answer = api.post_json(as_json([ROW] * 1000))

    assert answer.json()["predictions"] == ["setosa"] * 1000


def test_a_flat_vector_gets_the_advice_to_wrap_it(api: Api) -> None:
    """The error says that the outer list is missing."""
    assert "wrap" in api.predict(list(ROW)).json()["detail"]


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "text/plain",
        "text/json",
        "application/problem+json",
        "application/json; charset=utf-16",
        "application/json; charset=iso-8859-1",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "/json",
        CANARY,
    ],
)
def test_another_content_type_is_415(api: Api, kind: str | None) -> None:
    """Only bodies with the media type of JSON in UTF-8 are read."""
    answer = api.post_json(GOOD, kind)

    assert answer.status_code == 415
    assert slug(answer) == "unsupported-media-type"
    assert_refused_in_silence(api, answer)


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON", 'application/json;charset="UTF-8"', "application/json; q=1"]
)
def test_json_may_be_announced_in_any_spelling(api: Api, kind: str) -> None:
    """Case, blanks, quotes and other parameters do not matter."""
    assert api.post_json(GOOD, kind).status_code == 200


def test_a_compressed_body_is_415(api: Api) -> None:
    """A body with a Content-Encoding is refused, and not parsed as JSON."""
    headers = {**api.headers, "Content-Type": "application/json", "Content-Encoding": "gzip"}

    answer = api.server.client.post("/api/v1/predict", content=GOOD, headers=headers)

    assert answer.status_code == 415
    assert slug(answer) == "unsupported-media-type"


def _in_pieces(size: int) -> Iterator[bytes]:
    yield from [b" " * 2**16] * (size // 2**16)
    yield b" "


@pytest.mark.parametrize("body", [b" " * (4 * 2**20 + 1), _in_pieces(4 * 2**20)], ids=["Content-Length", "chunked"])
def test_a_body_over_the_limit_is_413(api: Api, body: bytes) -> None:
    """One byte over 4 MiB is too large, with or without Content-Length."""
    answer = api.post_json(body)

    assert answer.status_code == 413
    assert slug(answer) == "body-too-large"
    assert_refused_in_silence(api, answer)


def test_a_body_at_the_limit_is_read(api: Api) -> None:
    """4 MiB are not too large."""
    assert api.post_json(GOOD.ljust(4 * 2**20)).json()["predictions"] == ["setosa"]


@pytest.mark.timeout(20, func_only=True)
@pytest.mark.parametrize(
    "body",
    [
        b'"' * 2**22,
        b"\\" * 2**22,
        b'"\\' * 2**21,
        b'\\"' * 2**21,
        b'"' + b"\\" * (2**22 - 1),
        b"[]" * 2**21,
        b":" * 2**22,
        cell("0." + "9" * 2**21),
        cell("1e" + "9" * 2**21),
        cell("9" * 2**21),
        cell('"' + "+" * 2**21 + '"'),
    ],
    ids=[
        "quotes",
        "backslashes",
        "open",
        "escapes",
        "one text",
        "pairs",
        "colons",
        "digits",
        "exponent",
        "int",
        "text",
    ],
)
def test_a_malicious_body_is_answered_in_linear_time(api: Api, body: bytes) -> None:
    """Any body of 4 MiB takes time proportional to its length."""
    before_s = api.server.cpu_s

    answer = api.post_json(body)

    assert answer.status_code in {200, 400, 422}
    assert api.server.cpu_s - before_s < 5
