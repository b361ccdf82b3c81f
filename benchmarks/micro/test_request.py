"""
Micro benchmarks: the cost of each step of a request.

    python -m pytest benchmarks/micro
"""

import pytest
import structlog
from pytest_benchmark.fixture import BenchmarkFixture

from artifacts import Batch, Store
from benchmarks.in_process import MODELS, App, body
from serve.dialects.native.encoder import NativeEncoder
from serve.dialects.native.fast_decoder import Rows
from serve.inference.calls import Call
from serve.inference.registry import LoadedModel

SIZES = (1, 1000)
# One run of the event loop costs as much as a request, so this many requests share it.
REQUESTS = 50

of_each_model = pytest.mark.parametrize("model", MODELS)
of_each_size = pytest.mark.parametrize("rows", SIZES)


def _rows(model: LoadedModel, sent: bytes) -> Rows:
    decoded = model.native.decode(sent)
    assert not isinstance(decoded, Batch)
    return decoded


def test_verify_a_token(benchmark: BenchmarkFixture, app: App) -> None:
    """Verify a token."""
    verified = benchmark(app.tokens.verify, app.token)

    assert verified.principal.name == "developer"


@of_each_model
@of_each_size
def test_decode_rows(benchmark: BenchmarkFixture, app: App, store: Store, model: str, rows: int) -> None:
    """Decode a JSON body to a checked batch."""
    loaded = app.services.registry.get(model)

    decoded = benchmark(loaded.native.decode, body(store, model, rows=rows))

    assert len(decoded) == rows


@of_each_model
@of_each_size
def test_predict_rows(benchmark: BenchmarkFixture, app: App, store: Store, model: str, rows: int) -> None:
    """Predict a checked batch."""
    loaded = app.services.registry.get(model)
    decoded = _rows(loaded, body(store, model, rows=rows))

    predictions = benchmark(app.services.inference.predict_block, Call(loaded, decoded))

    assert len(predictions.labels) == rows


@of_each_size
def test_encode_predictions(benchmark: BenchmarkFixture, app: App, store: Store, rows: int) -> None:
    """Encode labels and probabilities as JSON."""
    model = app.services.registry.get("iris")
    decoded = _rows(model, body(store, "iris", rows=rows))
    predictions = app.services.inference.predict_block(Call(model, decoded))

    text = benchmark(NativeEncoder(model.bundle.manifest).encode, predictions)

    assert text.startswith(b'{"model":"iris"')


def test_count_in_a_metric(benchmark: BenchmarkFixture, app: App) -> None:
    """Increment a metric."""
    metrics = app.services.metrics

    benchmark(lambda: metrics.predictions.labels("iris", "1").inc())

    assert b'sepal_predictions_total{model="iris",version="1"}' in metrics.render()


@pytest.mark.usefixtures("app")
def test_write_a_log_line(benchmark: BenchmarkFixture) -> None:
    """Write a log line."""
    log = structlog.get_logger("serve.access")

    benchmark(log.info, "request", method="POST", path="/api/v1/models/iris/predict", status=200, duration_ms=0.123)


@of_each_model
def test_answer_requests(benchmark: BenchmarkFixture, app: App, store: Store, model: str) -> None:
    """Fifty requests with one row, one after the other, from the first ASGI message to the last."""
    sent = body(store, model, rows=1)

    response = benchmark(app.request, model, sent, times=REQUESTS)

    assert b'"predictions":[' in response
