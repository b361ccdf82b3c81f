"""The one function that every prediction passes."""

import asyncio
from collections.abc import Callable
from math import inf
from time import perf_counter
from typing import TypeAlias

from artifacts import Predictions
from artifacts.errors import ArtifactSelfTest
from artifacts.self_test import self_test
from serve.inference.batching import Batcher
from serve.inference.cache import RowCache, is_worthwhile
from serve.inference.calls import Call
from serve.inference.joint_call import JointCall
from serve.inference.model_errors import ModelErrors
from serve.inference.observers import Observers
from serve.inference.registry import LoadedModel, Registry
from serve.inference.single_call import RETRY_S, predict_single

Queue: TypeAlias = Batcher[Call, Predictions]


class InferenceService:
    """Predicts rows; it knows no protocol, no database and no metrics."""

    def __init__(
        self,
        registry: Registry,
        *,
        batcher: Callable[..., Queue],
        errors: ModelErrors,
        observers: Observers,
        cache_rows: int,
        retry_s: float = RETRY_S,
    ) -> None:
        """
        Prepare to predict.

        Args:
            registry: The loaded models.
            batcher: Makes the queue of a version.
            errors: Records the failed calls of models.
            observers: Get every call and its predictions.
            cache_rows: Rows of a version that are cached; 0 turns the cache off.
            retry_s: How long the parts of one refused call may be tried.
        """
        self._registry = registry
        self._batcher = batcher
        self._errors = errors
        self._observers = observers
        self._cache_rows = cache_rows
        self._retry_s = retry_s
        # By the model's identity: hashing a model would take longer than the look-up.
        self._queues: dict[int, tuple[LoadedModel, Queue]] = {}

    def predict(self, call: Call) -> "asyncio.Future[Predictions]":
        """
        Predict rows together with those of other calls; a call that is cancelled while it waits is not predicted.

        The result fails with DeadlineExceeded when it takes too long.

        Raises:
            Overloaded: Too many rows are waiting for the model.
        """
        return self.queue(call.model).submit(call, len(call.rows))

    def predict_block(self, call: Call) -> Predictions:
        """Predict rows in this thread, uncached and separately from other calls; faults name rows without a result."""
        began = perf_counter()
        retry_s = min(self._retry_s, (call.model.bundle.manifest.deadline_s or inf) / 2)
        predictions = predict_single(call, self._errors, retry_s=retry_s)
        rows = len(predictions)
        took_s = perf_counter() - began
        valid = rows - predictions.failed
        self._observers.add(call.model, (call,), (predictions,), took_s, rows=rows, valid=valid)
        return predictions

    def queue(self, model: LoadedModel) -> Queue:
        """Return the queue of a version."""
        known = self._queues.get(id(model))
        return known[1] if known is not None and known[0] is model else self._new_queue(model)

    def _new_queue(self, model: LoadedModel) -> Queue:
        manifest = model.bundle.manifest
        can_cache = self._cache_rows and manifest.cache and is_worthwhile(model.row_s)
        cache = RowCache(self._cache_rows) if can_cache else None
        own_deadline = {"deadline_s": manifest.deadline_s} if manifest.deadline_s else {}
        # Only the time of a program is bounded; a call of an estimator may block, and never runs on the loop.
        queue = self._batcher(
            JointCall(model, self._errors, self._observers, cache),
            self.predict_block,
            model=model.name,
            loop_rows=model.bundle.runtime.program_rows,
            **own_deadline,
        )
        loaded = {id(version) for served in self._registry.all() for version in served.versions.values()}
        self._queues = {key: pair for key, pair in self._queues.items() if key in loaded}
        self._queues[id(model)] = model, queue
        return queue

    def canary(self) -> None:
        """
        Predict the examples of every loaded version.

        Raises:
            ArtifactSelfTest: A version predicts them differently from before.
        """
        for model in (version for served in self._registry.all() for version in served.versions.values()):
            try:
                self_test(model.bundle)
            except ArtifactSelfTest as error:
                self._errors.record(model.name, model.version, error)
                raise
