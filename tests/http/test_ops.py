"""Health, metrics and logs, of one worker and of several."""

import os
import re
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from artifacts import Store
from tests.support.server import Api, Server, environment, slug
from tests.support.version_folders import amend

ROW = [[5.1, 3.5, 1.4, 0.2]]


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def fresh(request: pytest.FixtureRequest, store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Run a new server."""
    state = tmp_path_factory.mktemp("state")
    with Server(environment(artifacts=store, state=state, workers=request.param, log_format="json")) as running:
        yield Api(running, running.bearer())


def value(api: Api, name: str, **labels: str) -> float:
    """Return the value of a metric, summed over the series with these labels."""
    text = api.get("/metrics").text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return sum(sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items())


def test_metrics_count_what_happened(fresh: Api) -> None:
    """Requests and rows are counted once each, whichever worker handled them and whichever is scraped."""
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
    assert value(fresh, "sepal_requests_in_progress") == 1  # the scrape itself


def test_the_label_of_a_path_is_its_template(fresh: Api) -> None:
    """The name of a model is not in the label, so clients cannot create an unlimited number of time series."""
    for name in ("iris", "rose", "tulip"):
        fresh.get(f"/api/v1/models/{name}")

    assert value(fresh, "sepal_requests_total", route="/api/v1/models/{model}", status="404") == 2
    assert "tulip" not in fresh.get("/metrics").text


def test_a_request_id_is_kept_or_generated(fresh: Api) -> None:
    """A valid id of the client is in the response, the problem and the log; an invalid one is replaced."""
    kept = fresh.server.client.get("/api/v1/nothing", headers={**fresh.headers, "X-Request-ID": "order-66"})
    generated = fresh.server.client.get("/api/v1/nothing", headers={**fresh.headers, "X-Request-ID": 'a"b c'})

    assert kept.headers["x-request-id"] == kept.json()["instance"] == "order-66"
    assert re.fullmatch("[0-9a-f]{32}", generated.headers["x-request-id"])
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
    """Probes get 200 from a server that can serve predictions."""
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
    """Run a server with a valid model, one with a changed byte, and one with unreadable aliases."""
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


def test_a_model_that_cannot_be_loaded_does_not_affect_others(damaged: Api) -> None:
    """The valid one is served; the others are 503 with Retry-After and without the reason."""
    good = damaged.predict(ROW)

    assert good.json()["predictions"] == ["setosa"]
    for name in ("flipped", "lost"):
        answer = damaged.predict(ROW, path=f"/api/v1/models/{name}/predict")
        assert (answer.status_code, slug(answer)) == (503, "model-unavailable")
        assert answer.headers["retry-after"] == "5"
        assert "sha256" not in answer.text


def test_a_model_that_cannot_be_loaded_is_reported(damaged: Api) -> None:
    """Readiness, the list of models, a metric and the log report it, and the log has the reason."""
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


def test_a_model_is_shown_with_its_manifest(server: Server, api: Api, store: Path) -> None:
    """GET /models/iris has the columns, classes, scores and libraries of the manifest."""
    manifest = Store(store).manifest("iris", 1)

    shown = api.get("/api/v1/models/iris").json()

    assert (shown["name"], shown["champion"], shown["aliases"]) == ("iris", 1, {"champion": 1})
    [version] = shown["versions"]
    assert [column["name"] for column in version["columns"]] == manifest.signature.names
    assert version["classes"] == ["setosa", "versicolor", "virginica"]
    assert version["scores"] == manifest.scores
    assert version["scores"]["accuracy"] > 0.9


def test_a_client_that_disconnects_is_not_a_failure(server: Server) -> None:
    """An incomplete body and a closed connection are one line of the access log, with 499 and no traceback."""
    head = f"POST /api/v1/predict HTTP/1.1\r\nHost: x\r\n{_as_lines(server.bearer('predict'))}X-Request-ID: gone\r\n"

    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(f'{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"inst'.encode())
        raw.shutdown(socket.SHUT_WR)

    assert server.line('"gone"')["status"] == 499
    assert server.line('"gone"')["event"] == "request"


def _as_lines(headers: dict[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())


def test_killed_workers_are_replaced_and_their_gauges_reset(store: Path, tmp_path: Path) -> None:
    """The requests in progress of killed workers are not counted any longer."""
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

        assert value(api, "sepal_requests_in_progress") == 1  # the scrape itself


def test_a_scrape_counts_all_rows_that_were_predicted_before_it(api: Api) -> None:
    """No row is missing in a scrape that follows its response, whatever the parameters are."""
    for parameters in ({}, {"probabilities": "false"}, {"version": "champion"}, {"on_error": "report"}):
        before = value(api, "sepal_predictions_total", model="iris", version="1")
        for _ in range(5):
            assert api.predict(ROW, **parameters).status_code == 200
        assert value(api, "sepal_predictions_total", model="iris", version="1") == before + 5
