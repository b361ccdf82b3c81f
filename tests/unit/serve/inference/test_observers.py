"""Observers get every prediction, and neither delay nor fail one."""

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
from serve.inference.calls import Call
from serve.inference.observers import MetricsObserver, Observation, Observers
from serve.inference.registry import LoadedModel
from serve.telemetry.metrics import Metrics
from tests.support import tiny_models

WAITING = 50
REQUESTS = 10_000
TIMEOUT_S = 20.0


class Recording:
    """Keeps all observations."""

    name = "recording"
    needs_calls = True

    def __init__(self) -> None:
        self.events: list[Observation] = []

    def observe(self, events: Sequence[Observation]) -> None:
        self.events.extend(events)


class Failing:
    """Always raises."""

    name = "failing"
    needs_calls = True

    def observe(self, _events: Sequence[Observation]) -> None:
        raise ValueError("a value of a caller")


class Stuck:
    """Does not return until it is released."""

    name = "stuck"
    needs_calls = True

    def __init__(self) -> None:
        self.is_released = Flag()

    def observe(self, _events: Sequence[Observation]) -> None:
        self.is_released.wait(TIMEOUT_S)


@pytest.fixture
def model(tmp_path: Path) -> LoadedModel:
    """Return a small model."""
    store = Store(tmp_path)
    tiny_models.make().publish(store)
    bundle = store.load("tiny", 1)
    return LoadedModel("tiny", 1, bundle, NativeDecoder(bundle.manifest, tiny_models.LIMITS))


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    """Return an observer that does not return while the test runs."""
    observer = Stuck()
    yield observer
    observer.is_released.set()


def test_an_observer_that_fails_or_lags_does_not_affect_others(model: LoadedModel, stuck: Stuck) -> None:
    """Ten thousand predictions reach the observer that works; those that the others miss are counted."""
    dropped: dict[str, int] = {"failing": 0, "stuck": 0}

    def count(observer: str, events: int) -> None:
        dropped[observer] += events

    calls, predictions = [Call(model, [[0.5, 1]], caller="ada", request_id="order-66")], [Predictions(np.array([0]))]
    recording = Recording()
    observers = Observers([recording, Failing()], on_dropped=count, waiting=REQUESTS)
    lagging = Observers([stuck], on_dropped=count, waiting=WAITING)

    with capture_logs() as lines:
        for _ in range(REQUESTS):
            observers.add(model, calls, predictions, 0.001, rows=1, valid=1)
            lagging.add(model, calls, predictions, 0.001, rows=1, valid=1)
        assert observers.flush(timeout_s=TIMEOUT_S)

    assert recording.events == [Observation(model, 1, 1, 0.001, calls, predictions)] * REQUESTS
    assert dropped["failing"] == REQUESTS
    assert not lagging.flush(timeout_s=0.5)
    # Those that it was processing were not waiting any more.
    assert REQUESTS - 2 * WAITING <= dropped["stuck"] <= REQUESTS - WAITING
    assert {line["error"] for line in lines} == {"ValueError"}
    assert "a value of a caller" not in str(lines)
    observers.close()
    lagging.close()


def test_metrics_count_rows_and_calls(model: LoadedModel) -> None:
    """Rows without a prediction are not counted; cached rows are hits, the other rows misses."""
    metrics = Metrics()
    one, three = Call(model, [[0.5, 1]]), Call(model, [[0.5, 1]] * 3)
    fault = Fault("no-answer", "no answer", np.array([1]))
    observers = Observers([MetricsObserver(metrics)])

    observers.add(model, [one, three], [Predictions(np.array([0])), None], 0.001, rows=4, valid=1)
    refused = Predictions(np.array([0, -1, 1]), faults=(fault,))
    observers.add(model, [three], [refused], 0.001, rows=3, valid=2)
    observers.add(model, [three], [Predictions(np.array([0, 0, 1]))], 0.001, rows=3, valid=3, cached=2)
    assert observers.flush(timeout_s=TIMEOUT_S)

    def value(name: str) -> Any:
        return metrics.registry.get_sample_value(name, {"model": "tiny", "version": "1"})

    assert value("sepal_predictions_total") == 1 + 2 + 3
    assert value("sepal_model_calls_total") == 3
    assert (value("sepal_cache_hits_total"), value("sepal_cache_misses_total")) == (2, 1)
    observers.close()
