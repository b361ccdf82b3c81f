"""Health, metrics and logs, of one worker and of several."""

import asyncio
import os
import re
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest
from prometheus_client.parser import text_string_to_metric_families

from artifacts import Store
from artifacts.errors import ArtifactSelfTest
from serve.api.ops import Canary
from serve.inference.registry import Registry, Served
from serve.inference.threads import ModelThreads
from tests.support.server import Api, Server, environment, slug
from tests.support.version_folders import amend

ROW = [[5.1, 3.5, 1.4, 0.2]]


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def fresh(request: pytest.FixtureRequest, store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server that nobody has asked yet."""
    state = tmp_path_factory.mktemp("state")
    with Server(environment(artifacts=store, state=state, workers=request.param, log_format="json")) as running:
        yield Api(running, running.bearer())


def value(api: Api, name: str, **labels: str) -> float:
    """What /metrics says of one series; 0 if nothing."""
    text = api.get("/metrics").text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return sum(sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items())


def test_metrics_count_what_happened(fresh: Api) -> None:
    """Requests and rows are counted once each, whichever worker answered and whichever is asked."""
    for _ in range(20):
        assert fresh.predict(ROW * 3).status_code == 200
    fresh.predict([["x"] * 4])
    fresh.get("/api/v1/nowhere/at/all")

    route = "/api/v1/predict"
    assert value(fresh, "sepal_requests_total", route=route, method="POST", status="200") == 20
    assert value(fresh, "sepal_requests_total", route=route, status="422") == 1
    assert value(fresh, "sepal_requests_total", route="unmatched", status="404") == 1
    assert value(fresh, "sepal_predictions_total", model="iris", version="1") == 60
    assert value(fresh, "sepal_request_duration_seconds_count", route=route) == 21
    assert value(fresh, "sepal_requests_in_progress") == 1  # this very one


def test_labels_of_a_path_are_its_template(fresh: Api) -> None:
    """A model's name is no label of a route, so nobody can make series without end."""
    for name in ("iris", "rose", "tulip"):
        fresh.get(f"/api/v1/models/{name}")

    assert value(fresh, "sepal_requests_total", route="/api/v1/models/{model}", status="404") == 2
    assert "tulip" not in fresh.get("/metrics").text


def test_a_request_id_is_kept_or_made(fresh: Api) -> None:
    """A caller's id is in the response, in the problem and in the log; one that is none is replaced."""
    kept = fresh.server.client.get("/api/v1/nothing", headers={**fresh.headers, "X-Request-ID": "order-66"})
    made = fresh.server.client.get("/api/v1/nothing", headers={**fresh.headers, "X-Request-ID": 'a"b c'})

    assert kept.headers["x-request-id"] == kept.json()["instance"] == "order-66"
    assert re.fullmatch("[0-9a-f]{32}", made.headers["x-request-id"])
    assert fresh.server.line("order-66") | {"timestamp": "", "duration_ms": 0} == {
        "event": "request",
        "request_id": "order-66",
        "method": "GET",
        "path": "/api/v1/nothing",
        "route": "unmatched",
        "status": 404,
        "duration_ms": 0,
        "caller": "developer",
        "client": "127.0.0.1",
        "logger": "serve.access",
        "level": "info",
        "timestamp": "",
    }


@pytest.mark.parametrize("path", ["/health", "/health/ready", "/health/live"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_health_needs_no_token(fresh: Api, method: str, path: str) -> None:
    """Probes get 200 from a server that can do its work."""
    answer = fresh.server.client.request(method, path)

    assert answer.status_code == 200
    assert method == "HEAD" or answer.json() == {"status": "ok", "detail": ""}


def test_open_metrics_need_no_token(store: Path, tmp_path: Path) -> None:
    """With SEPAL_EXPOSE=metrics a scraper needs no token."""
    with Server(
        environment(artifacts=store, state=tmp_path, expose="docs,metrics,values", log_format="text")
    ) as server:
        answer = server.client.get("/metrics")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "[info" in server.log.read_text()


@pytest.fixture(scope="module")
def damaged(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server over a good model, one with a flipped byte, and one whose pointers are unreadable."""
    folder = tmp_path_factory.mktemp("damaged")
    for name in ("iris", "flipped", "lost"):
        shutil.copytree(store / "iris", folder / name)
    amend(folder / "flipped" / "1", lambda manifest: manifest.update(model="flipped"))
    model = folder / "flipped" / "1" / "model.joblib"
    model.write_bytes(model.read_bytes()[:-1] + b"\0")
    (folder / "lost" / "aliases.json").write_text("{")
    env = environment(artifacts=folder, state=tmp_path_factory.mktemp("state"), default_model="iris", log_format="json")
    with Server(env) as running:
        yield Api(running, running.bearer())


def test_a_model_that_cannot_be_loaded_takes_no_other_with_it(damaged: Api) -> None:
    """The good one is served; the others are 503 with Retry-After, and nothing of why reaches the caller."""
    good = damaged.predict(ROW)

    assert good.json()["predictions"] == ["setosa"]
    for name in ("flipped", "lost"):
        answer = damaged.predict(ROW, path=f"/api/v1/models/{name}/predict")
        assert (answer.status_code, slug(answer)) == (503, "model-unavailable")
        assert answer.headers["retry-after"] == "5"
        assert "sha256" not in answer.text


def test_a_model_that_cannot_be_loaded_is_told(damaged: Api) -> None:
    """Readiness, the list of models, a metric and the log say that something is missing, and the log says what."""
    listed = {model["name"]: model for model in damaged.get("/api/v1/models").json()["models"]}

    assert damaged.server.client.get("/health/ready").json()["status"] == "degraded"
    [flipped], [lost] = listed["flipped"]["unavailable"], listed["lost"]["unavailable"]
    assert (flipped["version"], flipped["code"]) == (1, "artifact-digest")
    assert (lost["version"], lost["code"]) == (None, "artifact-format")
    assert listed["iris"]["unavailable"] == []
    assert value(damaged, "sepal_model_load_failures_total", model="flipped") == 1
    line = damaged.server.line('"flipped"', "not loaded")
    assert "model.joblib was changed" in line["reason"]
    assert line["code"] == "artifact-digest"
    audit = damaged.server.line('"flipped"', "serve.audit")
    assert (audit["event"], audit["version"], audit["code"]) == ("artifact refused", 1, "artifact-digest")


def test_a_model_tells_what_it_promises(server: Server, api: Api, store: Path) -> None:
    """GET /models/iris has columns, classes, scores and libraries as the manifest has them."""
    manifest = Store(store).manifest("iris", 1)

    shown = api.get("/api/v1/models/iris").json()

    assert (shown["name"], shown["champion"], shown["aliases"]) == ("iris", 1, {"champion": 1})
    [version] = shown["versions"]
    assert [column["name"] for column in version["columns"]] == manifest.signature.names
    assert version["classes"] == ["setosa", "versicolor", "virginica"]
    assert version["scores"] == manifest.scores
    assert version["scores"]["accuracy"] > 0.9


def test_a_client_that_goes_away_is_no_failure(server: Server) -> None:
    """Half a body and a closed connection are one line of the access log, with 499 and no traceback."""
    head = f"POST /api/v1/predict HTTP/1.1\r\nHost: x\r\n{_as_lines(server.bearer('predict'))}X-Request-ID: gone\r\n"

    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(f'{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"inst'.encode())
        raw.shutdown(socket.SHUT_WR)

    assert server.line('"gone"')["status"] == 499
    assert server.line('"gone"')["event"] == "request"


def _as_lines(headers: dict[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())


class Wrong:
    """Stands in for a model whose answers have changed since it was loaded, which no test can bring about."""

    def __init__(self) -> None:
        self.asked = 0

    def canary(self) -> None:
        """Fail as `Inference.canary` does."""
        self.asked += 1
        raise ArtifactSelfTest("other labels")


def test_a_model_that_answers_wrong_makes_the_server_unready() -> None:
    """A canary that fails is `unready`, and is asked again only when its answer is too old."""
    wrong = Wrong()
    served = Served("iris", versions=cast(Any, {1: None}), aliases={"champion": 1})
    registry = Registry()
    registry.replace([served])

    async def ask_twice() -> list[str]:
        threads = ModelThreads(1, deadline_s=10)
        parts: Any = SimpleNamespace(registry=registry, inference=wrong, threads=threads)
        canary = Canary(parts, interval_s=60.0)
        return [(await canary.health()).status for _ in range(2)]

    assert anyio.run(ask_twice) == ["unready", "unready"]
    assert wrong.asked == 1


def test_a_canary_that_does_not_return_makes_the_server_unready() -> None:
    """Readiness answers at its deadline, and does not call the models again while they have not returned."""
    end, calls = threading.Event(), count()

    def canary() -> None:
        next(calls)
        assert end.wait(20)

    registry = Registry()
    registry.replace([Served("iris", versions=cast(Any, {1: None}), aliases={"champion": 1})])

    async def ask_three_times() -> list[str]:
        threads, inference = ModelThreads(1, deadline_s=10), SimpleNamespace(canary=canary)
        parts: Any = SimpleNamespace(registry=registry, inference=inference, threads=threads)
        asked = Canary(parts, deadline_s=0.05, interval_s=0.0)
        found = [(await asked.health()).status for _ in range(2)]
        end.set()
        while asked._thread.overdue:  # noqa: ASYNC110  # a thread brings it about, and sets no event of the loop
            await asyncio.sleep(0.001)
        return [*found, (await asked.health()).status]

    assert asyncio.run(ask_three_times()) == ["unready", "unready", "ok"]
    assert next(calls) == 2


def test_killed_workers_are_replaced_and_leave_no_gauge_behind(store: Path, tmp_path: Path) -> None:
    """What workers were doing when they were killed is not counted for ever, and others take their place."""
    env = environment(artifacts=store, state=tmp_path, workers=2, log_format="json")
    with Server(env) as server, socket.create_connection(("127.0.0.1", server.port)) as raw:
        api = Api(server, server.bearer())
        head = f"POST /api/v1/predict HTTP/1.1\r\nHost: x\r\n{_as_lines(api.headers)}"
        raw.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 9\r\n\r\n".encode())
        while value(api, "sepal_requests_in_progress") < 2:
            assert server.process.poll() is None
        for pid in server.workers:
            os.kill(pid, signal.SIGKILL)
        server.await_answer()

        assert value(api, "sepal_requests_in_progress") == 1  # this very one
