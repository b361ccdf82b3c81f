"""Models that return invalid predictions or raise: the error of each request, the log and the metrics."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from artifacts import Store
from tests.http.test_ops import value
from tests.support import misbehaving_models, tiny_models
from tests.support.bodies import column
from tests.support.misbehaving_models import (
    BAD,
    GOOD,
    INVALID,
    INVALID_NUMBERS,
    SECRET,
    Breaks,
    NotFinite,
    Raises,
    name_of,
)
from tests.support.server import Api, Server, environment, slug, untraced

OTHERS = 44
CSV = f"length,leaves\n{GOOD[0]},{GOOD[1]}\n{BAD[0]},{BAD[1]}\n6.0,9\n".encode()


def path(kind: type, tail: str = "") -> str:
    """Return the path on which a model of this class predicts."""
    return f"/api/v1/models/{name_of(kind)}/predict{tail}"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Run a server with a model of each kind."""
    store = Store(tmp_path_factory.mktemp("store"))
    with untraced():
        for kind in (*INVALID, Raises, NotFinite, Breaks):
            tiny_models.make(estimator=kind()).publish(store, model=name_of(kind))
        for number in INVALID_NUMBERS:
            tiny_models.make_regressor(estimator=number()).publish(store, model=name_of(number))
    env = environment(artifacts=store.root, state=tmp_path_factory.mktemp("state"), log_format="json")
    with Server(env) as running:
        yield Api(running, running.bearer())


every_kind = pytest.mark.parametrize("kind", [*INVALID, *INVALID_NUMBERS], ids=name_of)


@every_kind
def test_invalid_predictions_are_a_failure_of_the_model(models: Api, kind: type) -> None:
    """A request with such a row is 500, with or without other rows; without the row it is 200."""
    for rows in ([BAD], [GOOD, BAD, GOOD]):
        answer = models.predict(rows, path(kind))
        assert (answer.status_code, slug(answer)) == (500, "model-error")
        assert "errors" not in answer.json()

    assert models.predict([GOOD, GOOD], path(kind)).status_code == 200


@every_kind
def test_invalid_predictions_are_reported_by_the_row(models: Api, kind: type) -> None:
    """With `on_error=report` the row is null with a code, and the other rows have their predictions."""
    good = models.predict([GOOD], path(kind)).json()["predictions"]

    answer = models.predict([GOOD, BAD, GOOD], path(kind), on_error="report").json()

    assert answer["predictions"] == [*good, None, *good]
    assert [(error["row"], error["code"]) for error in answer["errors"]] == [(1, "model-error")]


@every_kind
@pytest.mark.parametrize("accept", ["text/csv", "application/x-ndjson"])
def test_invalid_predictions_are_an_error_row_of_a_csv(models: Api, kind: type, accept: str) -> None:
    """The response has all rows, and one of them has an error."""
    headers = {**models.headers, "Content-Type": "text/csv", "Accept": accept}

    answer = models.server.client.post(path(kind, "/csv"), content=CSV, headers=headers)

    assert answer.status_code == 200
    if accept == "text/csv":
        errors = column(answer, "error")
    else:
        errors = [json.loads(line)["error"] or "" for line in answer.text.splitlines()]
    assert errors == ["", "line 3: the model failed for this row", ""]


@pytest.mark.parametrize("kind", [*INVALID, Raises], ids=name_of)
def test_others_of_a_joint_call_get_their_predictions(models: Api, kind: type) -> None:
    """Of 45 requests at once only the one with the bad row fails; each of the others gets its own prediction."""
    sent = [[0.5 + 0.1 * number, 1 + number % 9] for number in range(OTHERS)]
    expected = [models.predict([row], path(kind)).json()["predictions"] for row in sent]

    async def send_together() -> tuple[httpx2.Response, list[httpx2.Response]]:
        base = f"http://127.0.0.1:{models.server.port}"
        async with httpx2.AsyncClient(base_url=base, headers=models.headers, timeout=30) as client:
            bodies = [*sent[: OTHERS // 2], BAD, *sent[OTHERS // 2 :]]
            requests = [client.post(path(kind), json={"instances": [row]}) for row in bodies]
            answers = list(await asyncio.gather(*requests))
            return answers.pop(OTHERS // 2), answers

    bad, others = asyncio.run(send_together())

    assert bad.status_code == (422 if kind is Raises else 500)
    assert [answer.status_code for answer in others] == [200] * OTHERS
    assert [answer.json()["predictions"] for answer in others] == expected


@pytest.mark.parametrize("kind", [Raises, NotFinite])
def test_a_row_without_a_prediction_is_a_mistake_of_the_client(models: Api, kind: type) -> None:
    """An exception of any type or a number that is not finite is 422, if the model predicts its own examples."""
    for rows in ([GOOD, BAD], [BAD], [BAD, BAD]):
        answer = models.predict(rows, path(kind))
        assert (answer.status_code, slug(answer)) == (422, "no-answer")


def test_a_model_that_fails_for_its_examples_too_is_at_fault(models: Api) -> None:
    """If every row fails, and the model's own example too, it is 500, or the code of each row."""
    assert models.predict([GOOD], path(Breaks)).status_code == 200

    answers = [models.predict([row], path(Breaks)) for row in (BAD, GOOD)]

    assert [(answer.status_code, slug(answer)) for answer in answers] == [(500, "model-error")] * 2
    reported = models.predict([GOOD, GOOD], path(Breaks), on_error="report").json()
    assert [error["code"] for error in reported["errors"]] == ["model-error"] * 2
    assert set(column(models.post_csv(CSV, path(Breaks, "/csv")), "error")) >= {"line 2: the model failed for this row"}


def test_the_canary_logs_the_type_and_no_value(models: Api) -> None:
    """A model that fails for its examples makes the server unready; the log has no message of its exception."""
    models.predict([BAD], path(Breaks))
    models.server.line("model failed", '"breaks"')

    # The canary runs again when its last result is too old.
    while models.server.client.get("/health/ready").status_code == 200:
        pass

    assert "RuntimeError" in next(line for line in models.server.lines if "canary failed" in line)
    assert SECRET not in models.server.log.read_text()


def test_a_failing_model_is_logged_and_counted(models: Api) -> None:
    """The log has the type and the line of the publisher's code, never the message; a counter grows."""
    before = value(models, "sepal_model_errors_total", model="raises", version="1")

    for _ in range(5):
        models.predict([BAD], path(Raises), probabilities="false")

    assert value(models, "sepal_model_errors_total", model="raises", version="1") == before + 5
    line = models.server.line("model failed", '"raises"')
    assert (line["version"], line["error"], line["level"]) == (1, "KeyError", "error")
    source, _, number = line["line"].rpartition(":")
    assert source == misbehaving_models.__file__
    assert "raise KeyError" in Path(source).read_text().splitlines()[int(number) - 1]
    assert SECRET not in models.server.log.read_text()
    invalid = models.server.line("model failed", '"onetoofew"')
    assert (invalid["error"], invalid["reason"][:16]) == ("InvalidPredictions", "predict returned")
