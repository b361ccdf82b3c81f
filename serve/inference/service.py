"""The one function that every prediction passes."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate, chain
from math import inf
from time import monotonic, perf_counter
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from artifacts import Batch, Predictions
from artifacts.bundle import Bundle
from artifacts.errors import ArtifactSelfTest
from artifacts.predictions import NO_CLASS, InvalidPredictions
from artifacts.self_test import self_test
from artifacts.signature import Signature, Table, concatenated
from artifacts.values import Fault
from serve.dialects.native.fast import Rows
from serve.inference.batching import Batcher
from serve.inference.cache import RowCache, pays, plain_rows
from serve.inference.model_errors import ModelErrors, NoAnswer
from serve.inference.observers import Observers
from serve.inference.registry import LoadedModel, Registry

# The code of rows for which the model, and not the caller, is at fault.
MODEL_ERROR = "model-error"

# How long the rows of one refused call may be tried in parts. A call that needs longer was made to.
RETRY_S = 5.0
_NO_ANSWER = "the model has no answer for these values"
_INVALID = "the model failed for this row"
_OVERDUE = "the model took too long for the rows that were predicted with this one"
_NOT_TRIED = "not tried: the model refused too many of the rows next to it; send it again without them"

_MESSAGES = {"no-answer": _NO_ANSWER, "not-asked": _NOT_TRIED, MODEL_ERROR: _INVALID}


class Call(NamedTuple):
    """
    Rows to predict, for one caller.

    Attributes:
        model: The version that predicts them.
        rows: Valid rows: native values in the model's order, or a table.
        probabilities: Whether a classifier's probabilities are wanted.
    """

    model: LoadedModel
    rows: Rows
    caller: str = ""
    request_id: str = ""
    probabilities: bool = True


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
            observers: Are given every call and its predictions.
            cache_rows: How many rows of a version are cached; 0 caches none.
            retry_s: How long the rows of one refused call may be tried in parts.
        """
        self._registry = registry
        self._batcher = batcher
        self._errors = errors
        self._observers = observers
        self._cache_rows = cache_rows
        self._retry_s = retry_s
        # By the model's identity: to hash one would take longer than the look-up.
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
        """Predict rows in this thread, in a call of their own and uncached: for blocks of files."""
        return self._predict(call)

    def queue(self, model: LoadedModel) -> Queue:
        """Return the queue of a version."""
        known = self._queues.get(id(model))
        return known[1] if known is not None and known[0] is model else self._new_queue(model)

    def _new_queue(self, model: LoadedModel) -> Queue:
        manifest = model.bundle.manifest
        can_cache = self._cache_rows and manifest.cache and pays(model.row_s)
        cache = RowCache(self._cache_rows) if can_cache else None
        own_deadline = {"deadline_s": manifest.deadline_s} if manifest.deadline_s else {}
        # Only the time of a program is bounded; a call of an estimator may block, and never runs on the loop.
        queue = self._batcher(
            _JointCall(model, self._errors, self._observers, cache),
            self._predict,
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
            ArtifactSelfTest: A version no longer predicts them as it did.
        """
        for served in self._registry.all():
            for model in served.versions.values():
                try:
                    self_test(model.bundle)
                except ArtifactSelfTest as error:
                    self._errors.record(model.name, model.version, error)
                    raise

    def _predict(self, call: Call) -> Predictions:
        """Predict the rows of one call; a fault names those that have no prediction."""
        began = perf_counter()
        predictions = self._predict_rows(call)
        rows = len(predictions)
        took_s = perf_counter() - began
        valid = rows - predictions.failed
        self._observers.add(call.model, (call,), (predictions,), took_s, rows=rows, valid=valid)
        return predictions

    def _predict_rows(self, call: Call) -> Predictions:
        bundle = call.model.bundle
        if not len(call.rows):
            return bundle.no_predictions(0, probabilities=call.probabilities)
        table = _table(bundle.manifest.signature, call.rows)
        failure: Exception = NoAnswer(_NO_ANSWER)
        not_tried, wrong = np.zeros((2, len(table)), dtype=bool)
        try:
            predictions = bundle.predict(table, probabilities=call.probabilities)
        except Exception as error:  # noqa: BLE001  # a third-party estimator may raise anything
            failure = error
            predictions, not_tried, wrong = self._predict_in_parts(bundle, table, probabilities=call.probabilities)
        invalid = predictions.invalid
        if not invalid.any() and isinstance(failure, NoAnswer):
            return predictions
        self._errors.record(call.model.name, call.model.version, failure)
        if invalid.all() and not wrong.all() and not _predicts_example(bundle, probabilities=call.probabilities):
            wrong = invalid
        codes = {"no-answer": invalid & ~not_tried & ~wrong, "not-asked": not_tried & ~wrong, MODEL_ERROR: wrong}
        faults = [Fault(code, _MESSAGES[code], np.flatnonzero(rows)) for code, rows in codes.items() if rows.any()]
        nothing = np.nan if predictions.values.dtype.kind == "f" else NO_CLASS
        return replace(predictions, values=np.where(invalid, nothing, predictions.values), faults=tuple(faults))

    def _predict_in_parts(
        self, bundle: Bundle, table: Table, *, probabilities: bool
    ) -> tuple[Predictions, NDArray[np.bool_], NDArray[np.bool_]]:
        """
        Predict a refused table in halves, and halves of halves, until only the refused rows are left.

        scikit-learn refuses a whole table for one row that becomes infinite on its way. Rows that are left when time is
        up are not tried.

        Returns:
            The predictions, which rows were not tried, and for which the model returned invalid predictions.
        """
        whole = bundle.no_predictions(len(table), probabilities=probabilities)
        not_tried, wrong = np.zeros((2, len(table)), dtype=bool)
        retry_s = min(self._retry_s, (bundle.manifest.deadline_s or inf) / 2)
        parts, deadline = deque([(0, len(table))]), monotonic() + retry_s
        while parts:
            # The largest first: when time is up, as many rows as can be have their prediction.
            start, stop = parts.popleft()
            if monotonic() > deadline:
                not_tried[start:stop] = True
                continue
            try:
                predictions = bundle.predict(table[start:stop], probabilities=probabilities)
            except Exception as error:  # noqa: BLE001  # as above
                middle = (start + stop) // 2
                parts.extend([(start, middle), (middle, stop)] if start < middle else [])
                wrong[start:stop] = stop - start == 1 and isinstance(error, InvalidPredictions)
                continue
            whole.put(slice(start, stop), predictions)
        return whole, not_tried, wrong


def completed(predictions: Predictions, batch: Batch, bundle: Bundle, *, probabilities: bool) -> Predictions:
    """Return predictions for all rows of a batch: of its valid rows those, of the others none, with all faults."""
    if len(predictions) == len(batch.good):
        return replace(predictions, faults=(*batch.faults, *predictions.faults))
    whole = bundle.no_predictions(len(batch.good), probabilities=probabilities)
    places = np.flatnonzero(batch.good)
    whole.put(places, predictions)
    moved = [replace(fault, rows=places[fault.rows]) for fault in predictions.faults]
    return replace(whole, faults=(*batch.faults, *moved))


def overdue(bundle: Bundle, batch: Batch) -> Predictions:
    """Return no predictions for a batch, because the model took too long."""
    late = Fault("deadline", _OVERDUE, np.flatnonzero(batch.good))
    nothing = bundle.no_predictions(len(batch.good), probabilities=True)
    return replace(nothing, faults=(*batch.faults, late))


def _predicts_example(bundle: Bundle, *, probabilities: bool) -> bool:
    """Whether the model predicts one of its own examples; if not, it is broken for whatever rows."""
    manifest = bundle.manifest
    batch = manifest.signature.check(list(zip(*manifest.examples.instances[:1], strict=True)))
    try:
        return not bundle.predict(batch.data, probabilities=probabilities).invalid.any()
    except Exception:  # noqa: BLE001  # as above
        return False


class _JointCall:
    """One call of a version for several callers; a caller with a row that has no prediction gets a call of its own."""

    def __init__(self, model: LoadedModel, errors: ModelErrors, observers: Observers, cache: RowCache | None) -> None:
        self._model = model
        self._failed = partial(errors.record, model.name, model.version)
        self._bundle = model.bundle
        self._signature = model.bundle.manifest.signature
        self._observers = observers
        self._cache = cache

    def __call__(self, calls: list[Call]) -> Sequence[Predictions | None]:
        """Return the predictions of each call; None for a call with a row that has none."""
        began = perf_counter()
        try:
            joint, cached = self._cached(self._cache, calls) if self._cache else (self._predicted(calls), None)
        except Exception as error:
            # A single call is made again by itself, and its failure recorded then.
            if len(calls) > 1:
                self._failed(error)
            raise
        parts: Sequence[Predictions | None] = [joint] if len(calls) == 1 else _parts(joint, calls)
        rows = valid = len(joint)
        if not joint.is_valid:
            parts = [part if part.is_valid else None for part in _parts(joint, calls)]
            valid = sum(len(part) for part in parts if part)
        took_s = perf_counter() - began
        self._observers.add(self._model, calls, parts, took_s, rows=rows, valid=valid, cached=cached)
        return parts

    def _predicted(self, calls: list[Call]) -> Predictions:
        if len(calls) == 1:
            [call] = calls
            return self._bundle.predict(_table(self._signature, call.rows), probabilities=call.probabilities)
        wanted = any(call.probabilities for call in calls)
        return self._bundle.predict(_joined(self._signature, [call.rows for call in calls]), probabilities=wanted)

    def _cached(self, cache: RowCache, calls: list[Call]) -> tuple[Predictions, int]:
        """Return what the cache has, and the model's predictions for the other rows; and how many it had."""
        each = (call.rows for call in calls)
        rows = list(chain.from_iterable(rows if isinstance(rows, list) else plain_rows(rows) for rows in each))
        predictions, known = cache.predict(rows, lambda new: self._bundle.predict(self._signature.assemble(new)))
        return replace(predictions, label_map=self._bundle.labels), known


def _parts(joint: Predictions, calls: Sequence[Call]) -> list[Predictions]:
    """Return the predictions of each call."""
    sizes = [len(call.rows) for call in calls]
    return [joint[stop - size : stop] for size, stop in zip(sizes, accumulate(sizes), strict=True)]


def _table(signature: Signature, rows: Rows) -> Table:
    return signature.assemble(rows) if isinstance(rows, list) else rows


def _joined(signature: Signature, requests: Sequence[Rows]) -> Table:
    """The rows of all requests as one table."""
    few = [rows for rows in requests if isinstance(rows, list)]
    if len(few) == len(requests):
        return signature.assemble(list(chain.from_iterable(few)))
    return concatenated([_table(signature, rows) for rows in requests])
