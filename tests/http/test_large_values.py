"""Values that every column takes, and that are too large for what the model makes of them."""

import pytest

from tests.support.bodies import LINE, ROW, column, mistakes, records, strict_json, table
from tests.support.server import Api, slug

# The first makes the probabilities of a logistic regression no numbers, the others make its scaler answer infinity.
HUGE = [(5.1, 3.5, 1.4, 1e308), (1e308, -1e308, 1e308, 1e308), (-1.7e308, 3.5, 1.4, 1.7e308)]


@pytest.mark.parametrize("row", HUGE, ids=str)
def test_what_the_model_cannot_answer_is_422(api: Api, row: tuple[float, ...]) -> None:
    """A number that overflows inside of the model is the row's mistake, and no failure of the server."""
    answer = api.predict([row])

    assert answer.status_code == 422
    assert slug(answer) == "no-answer"
    assert mistakes(answer) == [(0, None, "no-answer")]


def test_what_the_model_cannot_answer_harms_no_neighbour(api: Api) -> None:
    """Among others such a row is null and reported; the others are answered as ever."""
    rows = [HUGE[1], ROW, HUGE[0], [None] * 4, ROW, (1e300, -1e300, 1e300, 1e300), HUGE[2]]

    answer = strict_json(api.predict(rows, on_error="report"))

    assert answer["predictions"] == [None, "setosa", None, None, "setosa", "virginica", None]
    assert [row is None for row in answer["probabilities"]] == [label is None for label in answer["predictions"]]
    assert [entry["row"] for entry in answer["errors"] if entry["code"] == "no-answer"] == [0, 2, 6]


def test_a_csv_says_what_the_model_cannot_answer(api: Api) -> None:
    """In a CSV it is an error of its row as well."""
    answer = api.post_csv(table(LINE, *(",".join(map(str, row)) for row in HUGE), LINE))

    assert column(answer, "prediction") == ["setosa", "", "", "", "setosa"]
    assert column(answer, "error")[2] == "line 4: the model has no prediction for these values"
    assert records(answer)[1]["probability_setosa"] == ""


def test_a_model_without_probabilities_answers_what_it_can(zoo: Api) -> None:
    """Without probabilities there are the labels alone."""
    rows = [[0.5] * 200, [1.7e308] * 200]

    answer = zoo.predict(rows, path="/api/v1/models/wide/predict", on_error="report").json()

    assert answer["predictions"][0] in {1, -1}
    assert "probabilities" not in answer


def test_a_body_of_nothing_else_is_answered_soon(api: Api) -> None:
    """A thousand rows that the model refuses are a thousand rows without an answer, tried for so long and no longer."""
    rows = [HUGE[1]] * 1000

    answer = strict_json(api.predict(rows, on_error="report", probabilities="false"))

    assert answer["predictions"] == [None] * 1000
    assert {entry["code"] for entry in answer["errors"]} <= {"no-answer", "not-asked"}
    assert len(answer["errors"]) == 1000


def test_what_overflows_is_no_line_of_the_log(api: Api) -> None:
    """Nobody fills the log with warnings by what they send."""
    before = len(api.server.lines)

    api.predict([HUGE[1]] * 10)

    assert not any("RuntimeWarning" in line for line in api.server.lines[before:])
