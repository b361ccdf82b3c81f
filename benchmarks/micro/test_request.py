"""
What each step of a request costs, by the functions that take it.

    python -m pytest benchmarks/micro
"""

import pytest
import structlog
from pytest_benchmark.fixture import BenchmarkFixture

from artifacts import Store
from benchmarks.in_process import MODELS, App, body
from serve.dialects.native.encoder import Answers
from serve.dialects.native.schema import read
from serve.inference.calls import Call

SIZES = (1, 1000)
# A run of the event loop costs as much as a request does: it is shared by so many.
REQUESTS = 50

of_each_model = pytest.mark.parametrize("model", MODELS)
of_each_size = pytest.mark.parametrize("rows", SIZES)


def test_verify_a_token(benchmark: BenchmarkFixture, app: App) -> None:
    """A token says who asks."""
    verified = benchmark(app.tokens.verify, app.token)

    assert verified.principal.name == "developer"


@of_each_model
@of_each_size
def test_read_rows(benchmark: BenchmarkFixture, app: App, store: Store, model: str, rows: int) -> None:
    """A body of JSON becomes a checked batch."""
    loaded = app.services.registry.get(model)

    batch = benchmark(read, loaded.request, body(store, model, rows=rows), report=False)

    assert batch.good.sum() == rows


@of_each_model
@of_each_size
def test_predict_rows(benchmark: BenchmarkFixture, app: App, store: Store, model: str, rows: int) -> None:
    """A checked batch gets its answer."""
    loaded = app.services.registry.get(model)
    batch = read(loaded.request, body(store, model, rows=rows), report=False)

    predictions = benchmark(app.services.inference.predict_block, Call(loaded, batch.data))

    assert len(predictions.labels) == rows


@of_each_size
def test_serialise_an_answer(benchmark: BenchmarkFixture, app: App, store: Store, rows: int) -> None:
    """Labels and probabilities become JSON."""
    model = app.services.registry.get("iris")
    batch = read(model.request, body(store, "iris", rows=rows), report=False)
    predictions = app.services.inference.predict_block(Call(model, batch.data))

    text = benchmark(Answers(model.bundle.manifest).encode, predictions)

    assert text.startswith(b'{"model":"iris"')


def test_count_in_a_metric(benchmark: BenchmarkFixture, app: App) -> None:
    """A metric counts one more."""
    metrics = app.services.metrics

    benchmark(lambda: metrics.predictions.labels("iris", "1").inc())

    assert b'sepal_predictions_total{model="iris",version="1"}' in metrics.render()


@pytest.mark.usefixtures("app")
def test_write_a_log_line(benchmark: BenchmarkFixture) -> None:
    """A line of the log is written."""
    log = structlog.get_logger("serve.access")

    benchmark(log.info, "request", method="POST", path="/api/v1/models/iris/predict", status=200, duration_ms=0.123)


@of_each_model
def test_answer_requests(benchmark: BenchmarkFixture, app: App, store: Store, model: str) -> None:
    """Fifty requests with one row, one after the other, from the first byte that ASGI has to the last."""
    sent = body(store, model, rows=1)

    answer = benchmark(app.ask, model, sent, times=REQUESTS)

    assert b'"predictions":[' in answer
