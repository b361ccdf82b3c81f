"""Models whose calls do not return in time: the responses, other models, and when the process is replaced."""

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from artifacts import Store
from serve.dialects.csv.lines import CHUNK_ROWS
from serve.inference.threads import LOST_DEADLINES
from tests.http.test_ops import value
from tests.support import tiny_models
from tests.support.bodies import column
from tests.support.misbehaving_models import BAD, GOOD, Sleeps, SleepsShortly
from tests.support.server import START_S, Api, Server, environment, slug, untraced

DEADLINE_S = 1.0
UPLOADS = 6
HEAD, GOOD_LINE, BAD_LINE = "length,leaves\n", "0.5,1\n", "5000.0,2\n"
# The tolerance from request to response, on a busy machine.
SLACK_S = 3.0


@pytest.fixture(scope="module")
@untraced()
def sleepy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with two models that sleep for some rows, and one that does not."""
    store = Store(tmp_path_factory.mktemp("store"))
    for name, estimator in {"sleeps": Sleeps(), "naps": SleepsShortly(), "tiny": None}.items():
        tiny_models.make(estimator=estimator).publish(store, model=name)
    return store.root


@pytest.fixture
def served(request: pytest.FixtureRequest, sleepy: Path, tmp_path: Path) -> Iterator[Api]:
    """Run a server with one process, four threads and a short deadline."""
    deadline_s = getattr(request, "param", DEADLINE_S)
    env = environment(
        artifacts=sleepy, state=tmp_path, deadline_s=deadline_s, log_format="json", expose="docs,metrics,values"
    )
    with Server(env) as running:
        yield Api(running, running.bearer())


def _path(model: str, tail: str = "") -> str:
    return f"/api/v1/models/{model}/predict{tail}"


def _took_s(began: float) -> float:
    return time.monotonic() - began


def _health(api: Api) -> dict[str, str]:
    health: dict[str, str] = api.server.client.get("/health/ready").json()
    return health


async def _upload(api: Api, body: str) -> httpx2.Response:
    headers = {**api.headers, "Content-Type": "text/csv"}
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{api.server.port}", timeout=60) as client:
        return await client.post(_path("sleeps", "/csv"), content=body.encode(), headers=headers)


def test_uploads_to_a_slow_model_do_not_delay_other_models(served: Api) -> None:
    """Six uploads that sleep for half a minute are 504; meanwhile another model predicts JSON and CSV."""
    others: list[float] = []

    async def others_meanwhile(uploads: "asyncio.Future[list[httpx2.Response]]") -> None:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{served.server.port}", timeout=60) as client:
            while not uploads.done():
                began = time.monotonic()
                headers = {**served.headers, "Content-Type": "text/csv"}
                csv = await client.post(_path("tiny", "/csv"), content=HEAD + GOOD_LINE, headers=headers)
                one = await client.post(_path("tiny"), json={"instances": [GOOD]}, headers=served.headers)
                others.append(_took_s(began))
                assert (csv.status_code, one.status_code) == (200, 200)

    async def upload_all() -> list[httpx2.Response]:
        uploads = asyncio.gather(*(_upload(served, HEAD + BAD_LINE) for _ in range(UPLOADS)))
        await others_meanwhile(uploads)
        return list(await uploads)

    answers = asyncio.run(upload_all())

    assert [(answer.status_code, slug(answer)) for answer in answers] == [(504, "deadline-exceeded")] * UPLOADS
    assert len(others) > 3
    assert max(others) < SLACK_S


def test_threads_that_do_not_return_are_reported(served: Api) -> None:
    """Readiness and a metric count them; while they are few, the server is ready and predicts."""
    assert _health(served) == {"status": "ok", "detail": ""}

    began = time.monotonic()
    answer = served.predict([BAD], _path("sleeps"))

    assert (answer.status_code, slug(answer)) == (504, "deadline-exceeded")
    assert _took_s(began) < DEADLINE_S + SLACK_S
    # The response may be received just before the call is overdue.
    while (health := _health(served))["status"] == "ok":
        assert _took_s(began) < 2 * (DEADLINE_S + SLACK_S)
    assert health["status"] == "degraded"
    assert health["detail"] == "1 of 4 threads are in calls of models that do not return in time"
    assert value(served, "sepal_model_threads_overdue") == 1
    assert served.predict([GOOD], _path("sleeps")).status_code == 200


def test_a_thread_that_returns_late_is_used_again(served: Api) -> None:
    """A call that returns after its deadline frees its thread, however often this happens."""
    assert served.predict([GOOD], _path("naps")).status_code == 200
    for _ in range(6):
        began = time.monotonic()
        answer = served.predict([BAD], _path("naps"))
        assert (answer.status_code, slug(answer)) == (504, "deadline-exceeded")
        assert _took_s(began) < DEADLINE_S + SLACK_S

    # The last response may be received just before its call is overdue.
    while value(served, "sepal_model_threads_overdue") or _health(served)["status"] != "ok":
        assert _took_s(began) < 2 * (DEADLINE_S + SLACK_S)
    assert served.predict([GOOD], _path("naps")).status_code == 200


# The good blocks have 5,000 rows, and must be in time on a loaded machine too.
@pytest.mark.parametrize("served", [5.0], indirect=True, ids=["a longer deadline"])
@pytest.mark.parametrize("accept", ["text/csv", "application/x-ndjson"])
def test_the_rows_of_a_later_block_that_is_overdue_have_an_error(served: Api, accept: str) -> None:
    """After the first block the stream continues: all rows are returned, those of the slow block with an error."""
    body = HEAD + GOOD_LINE * CHUNK_ROWS + BAD_LINE * 3 + GOOD_LINE * (CHUNK_ROWS - 3) + GOOD_LINE * 10
    headers = {**served.headers, "Content-Type": "text/csv", "Accept": accept}

    answer = served.server.client.post(_path("sleeps", "/csv"), content=body.encode(), headers=headers)

    assert answer.status_code == 200
    if accept == "text/csv":
        errors = column(answer, "error")
    else:
        errors = [json.loads(line)["error"] or "" for line in answer.text.splitlines()]
    late = "the model took too long for the rows that were predicted with this one"
    assert len(errors) == 2 * CHUNK_ROWS + 10
    assert errors[:CHUNK_ROWS] == [""] * CHUNK_ROWS
    assert errors[CHUNK_ROWS : 2 * CHUNK_ROWS] == [f"line {CHUNK_ROWS + 2 + row}: {late}" for row in range(CHUNK_ROWS)]
    assert errors[2 * CHUNK_ROWS :] == [""] * 10


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_lost_half_of_its_threads_is_replaced(sleepy: Path, tmp_path: Path, workers: int) -> None:
    """The worker ends although its threads do not; a new one replaces it and predicts."""
    settings = {"artifacts": sleepy, "state": tmp_path, "deadline_s": DEADLINE_S, "threads": 2, "workers": workers}
    with Server(environment(**settings, log_format="json", expose="docs,metrics,values")) as server:
        api = Api(server, server.bearer())
        began = time.monotonic()
        assert api.predict([BAD], _path("sleeps")).status_code == 504
        assert server.line("process ends")["reason"].startswith("half of its threads are lost")
        assert _took_s(began) > LOST_DEADLINES * DEADLINE_S

        deadline = time.monotonic() + START_S
        while len([line for line in server.lines if "model loaded" in line and '"tiny"' in line]) <= workers:
            assert time.monotonic() < deadline
        server.await_answer()
        while value(api, "sepal_model_threads_overdue"):
            assert time.monotonic() < deadline
        for _ in range(20):
            assert api.predict([GOOD], _path("tiny")).status_code == 200


def test_a_stuck_thread_does_not_keep_the_server_from_ending(served: Api) -> None:
    """SIGTERM ends a server at once although a call of a model does not return."""
    assert served.predict([BAD], _path("sleeps")).status_code == 504

    began = time.monotonic()
    served.server.process.send_signal(signal.SIGTERM)

    assert served.server.process.wait(20) == 0
    assert _took_s(began) < 10
