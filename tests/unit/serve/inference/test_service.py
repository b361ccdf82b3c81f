"""The inference service: every prediction, without HTTP, a database or metrics."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from artifacts import Store
from artifacts.errors import ArtifactSelfTest
from serve.dialects.native.decoder import NativeDecoder
from serve.inference.batching import Batcher
from serve.inference.calls import Call
from serve.inference.model_errors import ModelErrors
from serve.inference.observers import Observers
from serve.inference.registry import LoadedModel, Registry, ServedModel
from serve.inference.service import InferenceService
from serve.inference.threads import ModelThreads
from tests.support import tiny_models


def load(folder: Path, *, row_s: float = 0.0, **more: Any) -> LoadedModel:
    """Publish a small model and load it."""
    store = Store(folder)
    tiny_models.make(**more).publish(store)
    bundle = store.load("tiny", 1)
    return LoadedModel("tiny", 1, bundle, NativeDecoder(bundle.manifest, tiny_models.LIMITS), row_s=row_s)


def make(*models: LoadedModel, cache_rows: int = 0) -> tuple[InferenceService, Registry, list[str]]:
    """Return a service for loaded models, its registry, and the names of the models that failed."""
    registry, failed = Registry(), list[str]()
    serve(registry, *models)
    errors = ModelErrors(lambda model, _version: failed.append(model))
    threads = ModelThreads(1, deadline_s=20)
    batcher = partial(Batcher, threads=threads, call_rows=100, queue_rows=100, deadline_s=20)
    service = InferenceService(registry, batcher=batcher, errors=errors, observers=Observers(), cache_rows=cache_rows)
    return service, registry, failed


def serve(registry: Registry, *models: LoadedModel) -> None:
    """Replace all models."""
    registry.replace([ServedModel(model.name, {model.version: model}, {}) for model in models])


def test_a_call_is_predicted_through_the_queue_or_in_this_thread(tmp_path: Path) -> None:
    """Both ways return the same predictions."""
    model = load(tmp_path)
    service, _, _ = make(model)
    call = Call(model, [[0.5, 1], [6.0, 9]])

    async def predict() -> list[Any]:
        return list((await service.predict(call)).labels)

    assert asyncio.run(predict()) == service.predict_block(call).labels.tolist() == ["short", "long"]


def test_a_queue_lives_as_long_as_its_version_is_loaded(tmp_path: Path) -> None:
    """The same version has one queue; that of a version that is not loaded any more is dropped."""
    old, new = load(tmp_path / "old"), load(tmp_path / "new")
    service, registry, _ = make(old)
    queue = service.queue(old)

    assert service.queue(old) is queue
    serve(registry, new)
    service.queue(new)
    assert service.queue(old) is not queue


@pytest.mark.parametrize(("cache_rows", "row_s", "is_cached"), [(0, 1.0, False), (10, 0.0, False), (10, 1.0, True)])
def test_only_slow_models_have_a_cache(tmp_path: Path, cache_rows: int, row_s: float, is_cached: bool) -> None:
    """It is a setting, and depends on the time that was measured when the model was loaded."""
    model = load(tmp_path, row_s=row_s)
    service, _, _ = make(model, cache_rows=cache_rows)

    joint: Any = service.queue(model)._predict_jointly

    assert (joint._cache is not None) is is_cached


def test_a_version_is_cached_and_timed_as_it_was_published(tmp_path: Path) -> None:
    """`publish(cache=False)` keeps a slow model out of the cache, and `deadline_s` replaces the server's deadline."""
    default, own = (
        load(tmp_path / "default", row_s=1.0),
        load(tmp_path / "own", row_s=1.0, cache=False, deadline_s=60.0),
    )
    service, _, _ = make(default, own, cache_rows=10)

    queues: list[Any] = [service.queue(default), service.queue(own)]

    assert [queue._predict_jointly._cache is None for queue in queues] == [False, True]
    assert [queue._deadline_s for queue in queues] == [20, 60.0]


def test_the_canary_fails_for_a_model_that_predicts_differently(tmp_path: Path) -> None:
    """The failure is recorded under the name of the model."""
    model = load(tmp_path)
    service, _, failed = make(model)

    service.canary()
    object.__setattr__(model.bundle, "labels", model.bundle.labels[::-1])  # type: ignore[index]  # it is a classifier
    with pytest.raises(ArtifactSelfTest):
        service.canary()

    assert failed == ["tiny"]
