"""How errors of JSON rows are reported, and the query parameters of a prediction."""

import json
from typing import Any

import pytest

from tests.conftest import WIDTH
from tests.support.bodies import (
    CANARY,
    COLUMNS,
    RECORD,
    ROW,
    assert_refused_in_silence,
    instances,
    mistakes,
    strict_json,
)
from tests.support.server import Api, slug


def test_faults_of_several_kinds_have_a_common_slug(api: Api) -> None:
    """The problem has the slug of its faults only if all are of one kind."""
    answer = api.predict([[5.1, None, "x", 0.2]])

    assert slug(answer) == "invalid-instances"
    assert mistakes(answer) == [(0, "sepal_width", "null"), (0, "petal_length", "not-a-number")]


def test_no_more_than_20_errors_are_listed(api: Api) -> None:
    """4,000 errors are counted, the first 20 of them listed by row and column, in a short body."""
    answer = api.predict([[CANARY * 20] * 4] * 1000)

    assert "4000 errors" in answer.json()["detail"]
    assert mistakes(answer) == [(row, name, "not-a-number") for row in range(5) for name in COLUMNS]
    assert answer.json()["errors_truncated"] is True
    assert len(answer.content) <= 16 * 1024
    assert_refused_in_silence(api, answer)


def test_20_mistakes_are_not_truncated(api: Api) -> None:
    """The list of 20 errors is complete, and its flag for truncation is false."""
    answer = api.predict([[None] * 4] * 5)

    assert len(mistakes(answer)) == 20
    assert answer.json()["errors_truncated"] is False


@pytest.mark.timeout(20, func_only=True)
@pytest.mark.parametrize("cell", ['""', "null", "true", "[]", f'"{CANARY}"'])
def test_100000_faults_are_reported_at_once(zoo: Api, cell: str) -> None:
    """A body with many faults gets a short response, quickly."""
    row = "[" + ",".join([cell] * WIDTH) + "]"
    body = instances("[" + ",".join([row] * 500) + "]")
    before_s = zoo.server.cpu_s

    answer = zoo.server.client.post(
        "/api/v1/models/wide/predict", content=body, headers={**zoo.headers, "Content-Type": "application/json"}
    )

    assert "100000 errors" in answer.json()["detail"]
    assert len(answer.content) <= 16 * 1024
    assert zoo.server.cpu_s - before_s < 5


@pytest.mark.parametrize("size", [100, 900 * 1024])
def test_a_long_text_or_name_is_never_sent_back(api: Api, size: int) -> None:
    """A text in place of a number is not in the response, and an unknown name is cut to 64 characters."""
    text = CANARY * (size // len(CANARY) + 1)

    answers = [api.predict([[5.1, 3.5, 1.4, text]]), api.predict([RECORD | {"c" * size: 1}])]

    assert all(len(answer.content) < 1024 for answer in answers)
    assert mistakes(answers[1])[0][1] == "c" * 63 + "…"
    assert_refused_in_silence(api, answers[0])


def test_an_unknown_name_is_escaped(api: Api) -> None:
    """An unknown name can neither break a line nor run as a script where it is displayed."""
    answer = api.predict([RECORD | {"a\n\x1b[31m\u2028": 1}])

    assert mistakes(answer) == [(0, "a\\n\\u001b[31m\\u2028", "unknown-column")]


@pytest.mark.parametrize("rows", [[ROW, ROW], [RECORD, dict(reversed(RECORD.items()))]], ids=["vectors", "objects"])
def test_report_leaves_the_good_rows_alone(api: Api, rows: list[Any]) -> None:
    """With on_error=report a bad row is null in its place, and the other rows get bit-equal predictions."""
    bad = {**RECORD, "petal_width": CANARY} if isinstance(rows[0], dict) else [5.1, 3.5, 1.4, CANARY]

    answer = strict_json(api.predict([rows[0], bad, None, rows[1]], on_error="report"))

    alone = api.predict(rows).json()
    assert answer["predictions"] == ["setosa", None, None, "setosa"]
    assert answer["probabilities"] == [alone["probabilities"][0], None, None, alone["probabilities"][1]]
    assert [(entry["row"], entry["code"]) for entry in answer["errors"]] == [(1, "not-a-number"), (2, "not-a-row")]
    assert CANARY not in json.dumps(answer)


def test_report_lists_every_mistake(api: Api) -> None:
    """All mistakes of all rows are reported, by row and then by column, without the limit of 20."""
    answer = api.predict([[None] * 4] * 30 + [ROW], on_error="report")

    assert mistakes(answer) == [(row, name, "null") for row in range(30) for name in COLUMNS]
    assert answer.json()["predictions"] == [None] * 30 + ["setosa"]


def test_report_without_a_good_row_is_answered(api: Api) -> None:
    """If no row is valid, all predictions are null."""
    answer = api.predict([[None] * 4, []], on_error="report").json()

    assert answer["predictions"] == answer["probabilities"] == [None, None]


def test_report_needs_no_probabilities(zoo: Api) -> None:
    """A model without probabilities reports faults as others do."""
    rows = [[0.5] * WIDTH, [None] * WIDTH]

    answer = zoo.predict(rows, path="/api/v1/models/wide/predict", on_error="report").json()

    assert answer["predictions"][0] in {1, -1}
    assert answer["predictions"][1] is None
    assert "probabilities" not in answer


def test_report_without_a_mistake_says_so(api: Api) -> None:
    """The response has an empty list of errors."""
    assert api.predict([ROW], on_error="report").json()["errors"] == []


@pytest.mark.parametrize("rows", [[], list(ROW), [ROW, RECORD], [[1] * 1025]], ids=["none", "flat", "mixed", "broad"])
def test_report_does_not_accept_an_invalid_request(api: Api, rows: Any) -> None:
    """A fault of the request as a whole is 422 with on_error=report too."""
    assert api.predict(rows, on_error="report").status_code == 422


def test_probabilities_are_left_out_on_request(api: Api) -> None:
    """probabilities=false changes nothing else."""
    asked, unasked = api.predict([ROW]).json(), api.predict([ROW], probabilities="false").json()

    assert asked.pop("probabilities")
    assert unasked == asked


@pytest.mark.parametrize("reference", ["1", "champion"])
def test_a_version_is_named_by_number_or_alias(api: Api, reference: str) -> None:
    """Both resolve to the loaded version."""
    assert api.predict([ROW], version=reference).json()["version"] == 1


@pytest.mark.parametrize(
    "reference", ["2", "0", "challenger", "1e9", "-1", "", "../1", "1.0", "\u00b9", "9" * 64, "9" * 5000, "a\nb"]
)
def test_an_unknown_version_is_404(api: Api, reference: str) -> None:
    """A text that is not a loaded version is 404, whatever it looks like."""
    answer = api.predict([ROW], version=reference)

    assert answer.status_code == 404
    assert slug(answer) == "version-not-loaded"


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "10"},
        {"Version": "1"},
        {"probabilities": CANARY},
        {"on_error": CANARY},
        {"on_error": "Report"},
        {str(number): CANARY for number in range(500)},
    ],
    ids=["unknown", "upper case", "no boolean", "no choice", "other case", "500 unknown"],
)
def test_a_wrong_parameter_is_422(api: Api, query: dict[str, str]) -> None:
    """An unknown parameter or an invalid value is refused, and not ignored."""
    answer = api.predict([ROW], **query)

    assert answer.status_code == 422
    assert slug(answer) == "invalid-request"
    assert len(mistakes_of_query(answer)) == min(len(query), 20)
    assert CANARY not in answer.text
    assert len(answer.content) <= 16 * 1024


def mistakes_of_query(answer: Any) -> list[str]:
    """Return the parameters that an error names."""
    return [entry["column"] for entry in strict_json(answer)["errors"]]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("five", "'five'"),
        (True, "true"),
        ("\u202e\n<b>\xe9", "'\\u202e\\n<b>\xe9'"),
        ("x" * 100, "'" + "x" * 62 + "…"),
        ([[1]], "[[1]]"),
    ],
)
def test_development_shows_what_was_sent(zoo: Api, value: object, shown: str) -> None:
    """If configured, a message ends with the value, escaped and cut to 64 characters."""
    answer = zoo.predict([[5, value, None]])

    assert answer.json()["errors"][0]["message"] == f"expected a number, got {shown}"


def test_development_shows_what_was_sent_by_name(zoo: Api) -> None:
    """Values of objects are shown as those of vectors, and a missing column has no value."""
    answer = zoo.predict([{"ratio": 0.5, "extra": 1}, {"count": 5.5, "ratio": 0.5, "extra": 1}, 5])

    assert [entry["message"] for entry in answer.json()["errors"]] == [
        "this column is missing",
        "expected a whole number, got 5.5",
        "expected a row: a list of values, or an object by name",
    ]
