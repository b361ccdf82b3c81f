"""Values that are valid for their column, but too large for the computations of the model."""

import pytest

from tests.support.bodies import LINE, ROW, column, mistakes, records, strict_json, table
from tests.support.server import Api, slug

# The first makes the probabilities of a logistic regression NaN, the others make its scaler return infinity.
HUGE = [(5.1, 3.5, 1.4, 1e308), (1e308, -1e308, 1e308, 1e308), (-1.7e308, 3.5, 1.4, 1.7e308)]


@pytest.mark.parametrize("row", HUGE, ids=str)
def test_a_row_without_a_finite_prediction_is_422(api: Api, row: tuple[float, ...]) -> None:
    """A number that overflows in the model is a mistake in the row, not a failure of the server."""
    answer = api.predict([row])

    assert answer.status_code == 422
    assert slug(answer) == "no-answer"
    assert mistakes(answer) == [(0, None, "no-answer")]


def test_other_rows_have_their_prediction(api: Api) -> None:
    """The row is null and reported, and the other rows are predicted."""
    rows = [HUGE[1], ROW, HUGE[0], [None] * 4, ROW, (1e300, -1e300, 1e300, 1e300), HUGE[2]]

    answer = strict_json(api.predict(rows, on_error="report"))

    assert answer["predictions"] == [None, "setosa", None, None, "setosa", "virginica", None]
    assert [row is None for row in answer["probabilities"]] == [label is None for label in answer["predictions"]]
    assert [entry["row"] for entry in answer["errors"] if entry["code"] == "no-answer"] == [0, 2, 6]


def test_in_a_csv_the_row_has_an_error(api: Api) -> None:
    """Its prediction is empty."""
    answer = api.post_csv(table(LINE, *(",".join(map(str, row)) for row in HUGE), LINE))

    assert column(answer, "prediction") == ["setosa", "", "", "", "setosa"]
    assert column(answer, "error")[2] == "line 4: the model has no prediction for these values"
    assert records(answer)[1]["probability_setosa"] == ""


def test_a_model_without_probabilities_returns_labels(zoo: Api) -> None:
    """The response has no probabilities."""
    rows = [[0.5] * 200, [1.7e308] * 200]

    answer = zoo.predict(rows, path="/api/v1/models/wide/predict", on_error="report").json()

    assert answer["predictions"][0] in {1, -1}
    assert "probabilities" not in answer


def test_a_body_of_refused_rows_is_answered_in_bounded_time(api: Api) -> None:
    """A thousand rows that the model refuses have no prediction; they are tried for a limited time."""
    rows = [HUGE[1]] * 1000

    answer = strict_json(api.predict(rows, on_error="report", probabilities="false"))

    assert answer["predictions"] == [None] * 1000
    assert {entry["code"] for entry in answer["errors"]} <= {"no-answer", "not-asked"}
    assert len(answer["errors"]) == 1000


def test_an_overflow_is_not_logged(api: Api) -> None:
    """Clients cannot fill the log with warnings."""
    before = len(api.server.lines)

    api.predict([HUGE[1]] * 10)

    assert not any("RuntimeWarning" in line for line in api.server.lines[before:])
