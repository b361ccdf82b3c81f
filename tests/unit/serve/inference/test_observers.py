"""Observers see every prediction, and neither delay nor fail one."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event as Flag
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from artifacts import Predictions, Store
from artifacts.values import Fault
from serve.dialects.native.decoder import NativeDecoder
from serve.inference.observers import MetricsObserver, Observation, Observers
from serve.inference.registry import LoadedModel
from serve.inference.service import Call
from serve.telemetry.metrics import Metrics
from tests.support import tiny_models
from tests.support.server import Api, Server, environment

WAITING = 50
REQUESTS = 10_000
PATIENCE_S = 20.0


class Seeing:
    """Keeps what it is given."""

    name = "seeing"
    needs_calls = True

    def __init__(self) -> None:
        self.seen: list[Observation] = []

    def observe(self, events: Sequence[Observation]) -> None:
        self.seen.extend(events)


class Failing:
    """Raises whatever it is given."""

    name = "failing"
    needs_calls = True

    def observe(self, _events: Sequence[Observation]) -> None:
        raise ValueError("a value of a caller")


class Stuck:
    """Does not return until it is let go."""

    name = "stuck"
    needs_calls = True

    def __init__(self) -> None:
        self.is_released = Flag()

    def observe(self, _events: Sequence[Observation]) -> None:
        self.is_released.wait(PATIENCE_S)


@pytest.fixture
def model(tmp_path: Path) -> LoadedModel:
    """A small model."""
    store = Store(tmp_path)
    tiny_models.make().publish(store)
    bundle = store.load("tiny", 1)
    return LoadedModel("tiny", 1, bundle, NativeDecoder(bundle.manifest, tiny_models.LIMITS))


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    """An observer that never returns while the test runs."""
    observer = Stuck()
    yield observer
    observer.is_released.set()


def test_one_that_fails_or_lags_harms_no_other(model: LoadedModel, stuck: Stuck) -> None:
    """Ten thousand predictions reach the one that works; what the others miss is counted."""
    dropped: dict[str, int] = {"failing": 0, "stuck": 0}

    def count(observer: str, events: int) -> None:
        dropped[observer] += events

    calls, predictions = [Call(model, [[0.5, 1]], caller="ada", request_id="order-66")], [Predictions(np.array([0]))]
    seeing = Seeing()
    observers = Observers([seeing, Failing()], on_dropped=count, waiting=REQUESTS)
    lagging = Observers([stuck], on_dropped=count, waiting=WAITING)

    with capture_logs() as lines:
        for _ in range(REQUESTS):
            observers.add(model, calls, predictions, 0.001, rows=1, valid=1)
            lagging.add(model, calls, predictions, 0.001, rows=1, valid=1)
        assert observers.flush(timeout_s=PATIENCE_S)

    assert seeing.seen == [Observation(model, 1, 1, 0.001, calls, predictions)] * REQUESTS
    assert dropped["failing"] == REQUESTS
    assert not lagging.flush(timeout_s=0.5)
    assert dropped["stuck"] == REQUESTS - WAITING
    assert {line["error"] for line in lines} == {"ValueError"}
    assert "a value of a caller" not in str(lines)
    observers.close()
    lagging.close()


def test_metrics_count_rows_and_calls(model: LoadedModel) -> None:
    """Rows that have no prediction are not counted, and the cache's share is."""
    metrics = Metrics()
    one, three = Call(model, [[0.5, 1]]), Call(model, [[0.5, 1]] * 3)
    fault = Fault("no-answer", "no answer", np.array([1]))
    observers = Observers([MetricsObserver(metrics)])

    observers.add(model, [one, three], [Predictions(np.array([0])), None], 0.001, rows=4, valid=1)
    refused = Predictions(np.array([0, -1, 1]), faults=(fault,))
    observers.add(model, [three], [refused], 0.001, rows=3, valid=2)
    observers.add(model, [three], [Predictions(np.array([0, 0, 1]))], 0.001, rows=3, valid=3, cached=2)
    assert observers.flush(timeout_s=PATIENCE_S)

    def value(name: str) -> Any:
        return metrics.registry.get_sample_value(name, {"model": "tiny", "version": "1"})

    assert value("sepal_predictions_total") == 1 + 2 + 3
    assert value("sepal_model_calls_total") == 3
    assert (value("sepal_cache_hits_total"), value("sepal_cache_misses_total")) == (2, 1)
    observers.close()


def test_a_scrape_counts_what_was_answered_before_it(store: Path, tmp_path: Path) -> None:
    """No row is missing in a scrape that follows its answer, whatever the parameters."""
    env = environment(artifacts=store, state=tmp_path, log_format="json")
    with Server(env) as server:
        api = Api(server, server.bearer())
        body = json.dumps({"instances": [[5.1, 3.5, 1.4, 0.2]]})
        for query in ["", "?probabilities=false", "?version=champion", "?on_error=report"]:
            before = _predicted(api)
            headers = {**api.headers, "Content-Type": "application/json"}
            for _ in range(5):
                assert server.client.post(f"/api/v1/predict{query}", content=body, headers=headers).status_code == 200
            assert _predicted(api) == before + 5


def _predicted(api: Api) -> float:
    lines = api.get("/metrics").text.splitlines()
    name = 'sepal_predictions_total{model="iris",version="1"} '
    return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))
