"""Predictions in JSON: whatever the parameters are, and with slow, overdue, cancelled or too many requests."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from artifacts import Store
from tests.support.gated_model import Gate
from tests.support.server import Api, Server, environment, slug, unmeasured

TIMEOUT_S = 20.0
PREDICT = "/api/v1/predict"
ROW = [0.5, 1]
# Ways to send a request that do not change the response.
VARIANTS: list[dict[str, Any]] = [
    {"params": {"probabilities": "true"}},
    {"headers": {"Content-Type": "application/json;charset=UTF-8"}},
    {"headers": {"Content-Encoding": "identity"}},
]


def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def post(api: Api, body: bytes, path: str = PREDICT, **more: Any) -> httpx2.Response:
    """Send a body and return the response."""
    headers = {**api.headers, "Content-Type": "application/json", **more.pop("headers", {})}
    return api.server.client.post(path, content=body, headers=headers, **more)


def series(api: Api) -> dict[tuple[str, ...], float]:
    """Return every metric by its name and labels."""
    families = text_string_to_metric_families(api.get("/metrics").text)
    return {
        (sample.name, *map(str, sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def value(api: Api, *name: str) -> float:
    """Return one metric."""
    return series(api).get(name, 0)


def calls(api: Api, model: str) -> float:
    """Return the number of calls of a model."""
    return value(api, "sepal_model_calls_total", model, "1")


@pytest.mark.parametrize("rows", [1, 2, 300])
@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("model", ["mixed", "single", "wide"])
def test_parameters_with_their_defaults_change_nothing(
    zoo: Api, zoo_store: Path, model: str, by_name: bool, rows: int
) -> None:
    """Body and headers are the same; each request is one call of the model."""
    manifest = Store(zoo_store).manifest(model, 1)
    examples = [list(row) for row in manifest.examples.instances]
    sent = (examples * rows)[:rows]
    instances = [dict(zip(manifest.signature.names, row, strict=True)) for row in sent] if by_name else sent
    body, path = json.dumps({"instances": instances}).encode(), f"/api/v1/models/{model}/predict"
    before = calls(zoo, model)

    expected = post(zoo, body, path)

    assert expected.status_code == 200
    assert calls(zoo, model) == before + 1
    for variant in VARIANTS:
        answer = post(zoo, body, path, **variant)
        assert answer.content == expected.content
        varying = {"date", "ratelimit", "x-request-id"}
        assert [pair for pair in answer.headers.items() if pair[0] not in varying] == [
            pair for pair in expected.headers.items() if pair[0] not in varying
        ]
    assert calls(zoo, model) == before + 1 + len(VARIANTS)


@pytest.mark.parametrize("path", [PREDICT, "/api/v1/models/iris/predict"])
def test_the_log_and_the_metrics_do_not_show_parameters(api: Api, path: str) -> None:
    """The line of the log is the same, and the same time series grow."""
    results = []
    for number, variant in enumerate([{}, VARIANTS[0]]):
        before = series(api)
        request_id = f"way-{number}-{path.count('/')}"
        post(api, b'{"instances": [[5.1, 3.5, 1.4, 0.2]]}', path, headers={"X-Request-ID": request_id}, **variant)
        after = series(api)
        grown = {name for name, count in after.items() if count != before.get(name) and "bucket" not in name[0]}
        grown = {name for name in grown if path.count("/") in {n.count("/") for n in name} or "predictions" in name[0]}
        line = api.server.line(f'"request_id": "{request_id}"')
        kept = {name: line[name] for name in line.keys() - {"request_id", "timestamp", "duration_ms"}}
        results.append((kept, {name for name in grown if not name[0].endswith(("_sum", "_created"))}))

    assert results[0] == results[1]
    assert results[0][0]["caller"] == "developer"


def test_a_token_without_the_scope_is_always_refused(api: Api) -> None:
    """It is refused whether it has been verified before or not."""
    headers = api.server.bearer("batch")

    answers = [post(api, b'{"instances": [[5.1, 3.5, 1.4, 0.2]]}', headers=headers) for _ in range(3)]

    assert {slug(answer) for answer in answers} == {"scope-missing"}


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_body_may_arrive_in_pieces(api: Api, size: int) -> None:
    """A body, valid or not, gets one response when it is complete."""
    good = b'{"instances": [[5.1, 3.5, 1.4, 0.2]]}' + b" " * size
    bad = b'{"instances": [[5.1, 3.5, 1.4, "x"]]}' + b" " * size

    for body, status in ((good, 200), (bad, 422), (good[:20], 400)):
        with socket.create_connection(("127.0.0.1", api.server.port)) as raw:
            head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nAuthorization: {api.headers['Authorization']}\r\n"
            raw.sendall(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n".encode())
            raw.sendall(b"Connection: close\r\n\r\n" + body[:10])
            until(lambda: value(api, "sepal_requests_in_progress") == 2)
            raw.sendall(body[10:])
            answer = b"".join(iter(lambda: raw.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize("rows", [1, 300])
def test_concurrent_callers_get_their_own_predictions(api: Api, rows: int) -> None:
    """Valid and invalid requests at once: each gets the response that it would get alone."""
    draw = np.random.default_rng(rows)
    bodies = [
        {"instances": [[round(cell, 3) for cell in row] for row in draw.uniform(0, 8, (rows, 4)).tolist()]}
        for _ in range(24)
    ]
    for number, wrong in zip(range(0, 24, 6), ("x", None, 1e308, True), strict=True):
        bodies[number]["instances"][-1][3] = wrong
    sent = [json.dumps(body).encode() for body in bodies]
    alone = [post(api, body, params={"probabilities": "true"}) for body in sent]

    with ThreadPoolExecutor(12) as callers:
        together = list(callers.map(lambda body: post(api, body), sent * 4))

    for number, answer in enumerate(together):
        expected = alone[number % 24]
        assert answer.status_code == expected.status_code == (422 if number % 24 % 6 == 0 else 200)
        if answer.status_code == 200:
            got, wanted = answer.json(), expected.json()
            assert got["predictions"] == wanted["predictions"]
            np.testing.assert_allclose(got["probabilities"], wanted["probabilities"], rtol=0, atol=1e-9)
        else:
            assert answer.json()["errors"] == expected.json()["errors"]


@contextmanager
def gated(folder: Path, **settings: Any) -> Iterator[tuple[Api, Gate, ThreadPoolExecutor]]:
    """Run a server with a model whose calls the test can block, and threads for callers."""
    gate, store = Gate(folder), Store(folder / "store")
    with unmeasured():
        gate.publish(store)
    env = environment(artifacts=store.root, state=folder / "state", log_format="json", **settings)
    with Server(env) as server, ThreadPoolExecutor(8) as callers:
        api = Api(server, server.bearer())
        assert send(api).status_code == 200
        yield api, gate, callers


def send(api: Api, rows: int = 1, **more: Any) -> httpx2.Response:
    """Send rows to the model."""
    return post(api, json.dumps({"instances": [ROW] * rows}).encode(), **more)


VARIANTS_TESTED = [{}, VARIANTS[0]]


@pytest.mark.parametrize("way", VARIANTS_TESTED, ids=["default", "parameters"])
def test_a_slow_model_does_not_block_the_server(tmp_path: Path, way: dict[str, Any]) -> None:
    """During a call the server responds, and the requests that arrive meanwhile are predicted in the next call."""
    with gated(tmp_path) as (api, gate, callers):
        with gate.closed():
            first = callers.submit(send, api, **way)
            until(lambda: gate.calls == [1])
            others = [callers.submit(send, api, rows) for rows in (1, 2, 3)]
            until(lambda: value(api, "sepal_requests_in_progress") == 5)

            assert api.server.client.get("/health/live").status_code == 200

        answers = [waiting.result(TIMEOUT_S) for waiting in (first, *others)]

    assert [len(answer.json()["predictions"]) for answer in answers] == [1, 1, 2, 3]
    assert gate.calls == [1, 6]


@pytest.mark.parametrize("way", VARIANTS_TESTED, ids=["default", "parameters"])
def test_a_full_queue_is_503(tmp_path: Path, way: dict[str, Any]) -> None:
    """Rows beyond SEPAL_QUEUE_ROWS are refused at once, with Retry-After; the waiting ones are predicted."""
    with gated(tmp_path, queue_rows=10) as (api, gate, callers):
        with gate.closed():
            waiting = callers.submit(send, api, 8, **way)
            until(lambda: gate.calls == [8])

            refused = send(api, 3, **way)

        assert (refused.status_code, slug(refused)) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) > 0
        assert waiting.result(TIMEOUT_S).status_code == 200
        assert send(api, 3, **way).status_code == 200


@pytest.mark.parametrize("way", VARIANTS_TESTED, ids=["default", "parameters"])
def test_a_prediction_that_takes_too_long_is_504(tmp_path: Path, way: dict[str, Any]) -> None:
    """After SEPAL_DEADLINE_S the request fails, and the next one is predicted."""
    with gated(tmp_path, deadline_s=0.5) as (api, gate, _):
        with gate.closed():
            late = send(api, **way)

        assert (late.status_code, slug(late)) == (504, "deadline-exceeded")
        assert late.json()["instance"] == late.headers["x-request-id"]
        until(lambda: send(api, **way).status_code == 200)


@pytest.mark.parametrize("way", ["", "?probabilities=true"], ids=["default", "parameters"])
def test_a_client_that_disconnects_while_it_waits_is_not_predicted(tmp_path: Path, way: str) -> None:
    """The access log has status 499, and the gauge of requests in progress drops to the remaining request."""
    with gated(tmp_path, threads=1) as (api, gate, callers):
        with gate.closed():
            first: Future[httpx2.Response] = callers.submit(send, api)
            until(lambda: gate.calls == [1])
            with socket.create_connection(("127.0.0.1", api.server.port)) as raw:
                body = json.dumps({"instances": [ROW] * 7})
                head = f"POST {PREDICT}{way} HTTP/1.1\r\nHost: x\r\nAuthorization: {api.headers['Authorization']}\r\n"
                head += f"Content-Type: application/json\r\nX-Request-ID: gone\r\nContent-Length: {len(body)}\r\n\r\n"
                raw.sendall((head + body).encode())
                until(lambda: in_progress(api) == 2)
            until(lambda: in_progress(api) == 1)
        assert first.result(TIMEOUT_S).status_code == 200

        assert api.server.line('"request_id": "gone"')["status"] == 499
        assert send(api).status_code == 200
        assert gate.calls == [1, 1]


def in_progress(api: Api) -> float:
    """Return the requests in progress, without this scrape."""
    return value(api, "sepal_requests_in_progress") - 1
