"""Rows and cells of JSON over HTTP: which are accepted, and which refused."""

from typing import Any

import pytest

from tests.conftest import WIDTH
from tests.support.bodies import (
    CANARY,
    COLUMNS,
    RECORD,
    ROW,
    as_json,
    assert_refused_in_silence,
    cell,
    mistakes,
)
from tests.support.server import Api, slug

NO_VALUE = {
    "NaN": "non-finite",
    "Infinity": "non-finite",
    "-Infinity": "non-finite",
    "1e400": "non-finite",
    "-1e400": "non-finite",
    "1E+999999999": "non-finite",
    '"NaN"': "non-finite",
    '" nan "': "non-finite",
    '"-inf"': "non-finite",
    '"+Infinity"': "non-finite",
    "true": "not-a-number",
    "false": "not-a-number",
    '"1.0"': "not-a-number",
    '"0"': "not-a-number",
    '""': "not-a-number",
    '" "': "not-a-number",
    f'"{CANARY}"': "not-a-number",
    '"=1+1"': "not-a-number",
    "[]": "not-a-number",
    "[0.2]": "not-a-number",
    "[NaN]": "not-a-number",
    "{}": "not-a-number",
    '{"petal_width": 0.2}': "not-a-number",
    "null": "null",
    "9" * 65: "integer-too-long",
    "-" + "9" * 65: "integer-too-long",
    "1" + "0" * 400: "integer-too-long",
}

SAME_VALUE = {
    "1e-400": "0",
    "-0.0": "0",
    "-0": "0.0",
    "2": "2.0",
    "2E0": "2",
    "20e-1": "2",
    "9007199254740993": "9007199254740992",
    "9" * 64: "1e64",
    "0.2" + "0" * 1000: "0.2",
}


def without(name: str) -> dict[str, float]:
    """Return a valid record without one key."""
    return {key: value for key, value in RECORD.items() if key != name}


NO_ROW: dict[str, tuple[Any, list[tuple[int, str | None, str]]]] = {
    "null": ([ROW, None], [(1, None, "not-a-row")]),
    "text": ([ROW, CANARY], [(1, None, "not-a-row")]),
    "number": ([RECORD, 5], [(1, None, "not-a-row")]),
    "short": ([ROW, ROW[:3]], [(1, None, "wrong-length")]),
    "long": ([ROW, (*ROW, CANARY)], [(1, None, "wrong-length")]),
    "empty": ([ROW, []], [(1, None, "wrong-length")]),
    "all empty": ([[]], [(0, None, "wrong-length")]),
    "ragged": ([ROW[:1], ROW, ROW[:2]], [(0, None, "wrong-length"), (2, None, "wrong-length")]),
    "missing": ([RECORD, without("petal_length")], [(1, "petal_length", "missing-column")]),
    "unknown": ([RECORD | {"colour": CANARY}], [(0, "colour", "unknown-column")]),
    "two unknown": ([RECORD | {"colour": CANARY, "hue": CANARY}], [(0, "colour", "unknown-column")]),
    "renamed": (
        [without("petal_width") | {"Petal_Width": 0.2}],
        [(0, "Petal_Width", "unknown-column"), (0, "petal_width", "missing-column")],
    ),
    "by number": (
        [{"0": 5.1, "1": 3.5, "2": 1.4, "3": 0.2}],
        [(0, "0", "unknown-column"), *((0, name, "missing-column") for name in COLUMNS)],
    ),
    "empty object": ([{}, RECORD], [(0, name, "missing-column") for name in COLUMNS]),
}


@pytest.mark.parametrize(("literal", "code"), NO_VALUE.items(), ids=[text[:12] for text in NO_VALUE])
def test_an_invalid_value_is_422(api: Api, literal: str, code: str) -> None:
    """A cell that the column cannot hold is refused with row, column and code, and is not converted."""
    answer = api.post_json(cell(literal))

    assert answer.status_code == 422
    assert slug(answer) == code
    assert mistakes(answer) == [(0, "petal_width", code)]
    assert_refused_in_silence(api, answer)


@pytest.mark.parametrize(("literal", "same"), SAME_VALUE.items(), ids=[text[:12] for text in SAME_VALUE])
def test_a_number_may_be_written_in_any_way(api: Api, literal: str, same: str) -> None:
    """Two spellings of one number get bit-equal predictions."""
    answers = [api.post_json(cell(text)) for text in (literal, same)]

    assert answers[0].status_code == 200
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize(("rows", "expected"), NO_ROW.values(), ids=NO_ROW)
def test_an_invalid_row_is_422(api: Api, rows: Any, expected: list[tuple[int, str | None, str]]) -> None:
    """A row that is not exactly the model's columns is refused, and no value is matched by its position."""
    answer = api.predict(rows)

    assert answer.status_code == 422
    assert sorted(mistakes(answer), key=str) == sorted(expected, key=str)
    assert_refused_in_silence(api, answer)


MIXED = [5, 0.5, None]

MIXED_VALUES: dict[str, tuple[list[Any], str | None]] = {
    "whole float": ([5.0, 0.5, 1], None),
    "exponent": ([1e2, 0.5, 1], None),
    "null where training saw one": ([5, 0.5, None], None),
    "halves": ([5.5, 0.5, 1], "not-an-integer"),
    "almost whole": ([5.000001, 0.5, 1], "not-an-integer"),
    "tiny": ([1e-9, 0.5, 1], "not-an-integer"),
    "above int8": ([128, 0.5, 1], "out-of-range"),
    "below int8": ([-129, 0.5, 1], "out-of-range"),
    "float above int8": ([128.0, 0.5, 1], "out-of-range"),
    "above int64": ([2**63, 0.5, 1], "out-of-range"),
    "huge float": ([1e300, 0.5, 1], "out-of-range"),
    "66 digits": ([10**65, 0.5, 1], "integer-too-long"),
    "null integer": ([None, 0.5, 1], "null"),
    "boolean": ([True, 0.5, 1], "not-a-number"),
    "above float32": ([5, 3.5e38, 1], "out-of-range"),
    "integer above float32": ([5, 10**39, 1], "out-of-range"),
    "null float32": ([5, None, 1], "null"),
    "below float32": ([5, 1e-60, 1], None),
    "text in a nullable column": ([5, 0.5, ""], "not-a-number"),
    "NA in a nullable column": ([5, 0.5, "NA"], "not-a-number"),
}


@pytest.mark.parametrize(("row", "code"), MIXED_VALUES.values(), ids=MIXED_VALUES)
def test_each_kind_of_column_has_its_rules(zoo: Api, row: list[Any], code: str | None) -> None:
    """Integers, float32 and nullable columns accept only values that they can hold exactly."""
    answer = zoo.predict([MIXED, row, MIXED], on_error="report").json()

    assert [entry["code"] for entry in answer["errors"]] == ([code] if code else [])
    assert [label is None for label in answer["predictions"]] == [False, code is not None, False]


def test_a_float32_column_gets_float32(zoo: Api) -> None:
    """Two numbers that are equal in float32 are equal for the model."""
    near, nearer = (zoo.predict([[5, value, None]]).json() for value in (0.1, 0.1 + 1e-12))

    assert near == nearer


def test_classes_keep_their_json_type(zoo: Api) -> None:
    """Boolean, integer and text classes are returned with these JSON types."""
    answers = [
        zoo.predict([MIXED], path=f"/api/v1/models/{name}/predict").json()
        if name == "mixed"
        else zoo.predict([[0.5] * width], path=f"/api/v1/models/{name}/predict").json()
        for name, width in (("mixed", 3), ("single", 1), ("wide", WIDTH))
    ]

    assert [answer["classes"] for answer in answers] == [[False, True], ["=1+1", "@SUM(A1)"], [-1, 1]]
    assert all(type(answer["predictions"][0]) is type(answer["classes"][0]) for answer in answers)
    assert ["probabilities" in answer for answer in answers] == [True, True, False]


@pytest.mark.parametrize("rows", [[[1], [-1.5]], [{"x": 1}, {"x": -1.5}]], ids=["vectors", "objects"])
def test_one_column_is_a_row_as_well(zoo: Api, rows: Any) -> None:
    """A model with a single column accepts rows of one value."""
    answer = zoo.predict(rows, path="/api/v1/models/single/predict").json()

    assert answer["predictions"] == ["=1+1", "@SUM(A1)"]


def test_unknown_names_are_ignored_if_published_so(zoo: Api) -> None:
    """With publish(unknown_names="ignore") an unknown key changes nothing; a missing one is still an error."""
    row = dict(zip(("count", "ratio", "extra"), MIXED, strict=True))

    answer = zoo.predict([row | {"other": CANARY}, {"count": 5, "ratio": 0.5, "other": 1}], on_error="report")

    assert mistakes(answer) == [(1, "extra", "missing-column")]
    assert answer.json()["predictions"] == [zoo.predict([row]).json()["predictions"][0], None]


def test_reordered_names_are_answered_bit_equal(api: Api) -> None:
    """Values are matched by name, and rows may have their names in different orders."""
    answer = api.predict([RECORD, dict(reversed(RECORD.items()))]).json()

    assert answer["probabilities"][0] == answer["probabilities"][1]
    assert answer == api.post_json(as_json([ROW, ROW])).json()
