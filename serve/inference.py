"""The heart: a checked batch goes in, labelled predictions come out."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from time import monotonic
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from artifacts import Batch, Predictions
from artifacts.bundle import Bundle, self_test
from artifacts.errors import ArtifactSelfTest
from artifacts.predictions import NO_CLASS, InvalidPredictions
from artifacts.signature import Columns, Signature, Table
from artifacts.values import Fault
from serve.answers import Answers
from serve.batching import Batcher
from serve.cache import RowCache, pays, plain_rows
from serve.model_errors import ModelErrors, NoAnswer
from serve.plain import Rows
from serve.registry import Model, Registry
from serve.telemetry import Metrics

# The code of rows for which the model, and not the caller, is at fault.
MODEL_ERROR = "model-error"

# How long one batch may be asked again in parts. After that somebody must mean it.
PATIENCE_S = 5.0
_UNANSWERED = "the model has no answer for these values"
_INVALID = "the model failed for this row"
_OVERDUE = "the model took too long for the rows that were predicted with this one"
_UNASKED = "not asked: the model refused too many of the rows beside it; send it again without them"

_MESSAGES = {"no-answer": _UNANSWERED, "not-asked": _UNASKED, MODEL_ERROR: _INVALID}


Queue: TypeAlias = Batcher[Rows, bytes]
"""Where rows of one version wait for their answer, as JSON."""


class Inference:
    """Predicts, and counts what it predicted."""

    def __init__(
        self,
        registry: Registry,
        metrics: Metrics,
        *,
        batcher: Callable[..., Queue],
        cache_rows: int,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._registry = registry
        self._metrics = metrics
        self._predictions = metrics.predictions
        self._errors = ModelErrors(metrics)
        self._batcher = batcher
        self._cache_rows = cache_rows
        self._patience_s = patience_s
        self._queues: dict[tuple[str, int], tuple[Model, Queue]] = {}

    def queue(self, model: Model) -> Queue:
        """Where requests for a version wait: those that are plainly right are predicted together."""
        key = model.name, model.version
        of, queue = self._queues.get(key, (None, None))
        if queue is None or of is not model:
            cache = RowCache(self._cache_rows) if self._cache_rows and pays(model.row_s) else None
            # Only the time of a program is bounded; a call of an estimator may block, and never runs on the loop.
            queue = self._batcher(
                _Together(model, self._metrics, self._errors, cache),
                model=model.name,
                loop_rows=model.bundle.runtime.program_rows,
            )
            in_memory = {(served.name, version) for served in self._registry.all() for version in served.versions}
            self._queues = {known: pair for known, pair in self._queues.items() if known in in_memory}
            self._queues[key] = model, queue
        return queue

    def predict(self, model: Model, batch: Batch, *, probabilities: bool = True) -> Predictions:
        """One call of the model for all good rows of a batch."""
        every = len(batch.data) == len(batch.good)
        if not len(batch.data):
            nothing = _nothing(model.bundle, len(batch.good), probabilities=probabilities)
            return replace(nothing, faults=batch.faults)
        answer, silent = self._ask(model, batch.data, probabilities=probabilities)
        unanswered = sum(len(rows) for rows in silent.values())
        self._predictions.labels(model.name, str(model.version)).inc(len(answer.values) - unanswered)
        found = [Fault(code, _MESSAGES[code], np.flatnonzero(batch.good)[rows]) for code, rows in silent.items()]
        if not every:
            answer = _among(_nothing(model.bundle, len(batch.good), probabilities=probabilities), batch.good, answer)
        return replace(answer, faults=(*batch.faults, *found))

    def overdue(self, model: Model, batch: Batch) -> Predictions:
        """No predictions for a batch, because the model took too long."""
        nothing = _nothing(model.bundle, len(batch.good), probabilities=True)
        late = Fault("deadline", _OVERDUE, np.flatnonzero(batch.good))
        return replace(nothing, faults=(*batch.faults, late))

    def canary(self) -> None:
        """
        Ask every model in memory its own examples.

        Raises:
            ArtifactSelfTest: One of them no longer answers as it did.
        """
        for served in self._registry.all():
            for model in served.versions.values():
                try:
                    self_test(model.bundle)
                except ArtifactSelfTest as error:
                    self._errors.record(model.name, model.version, error)
                    raise

    def _ask(
        self, model: Model, table: Table, *, probabilities: bool
    ) -> tuple[Predictions, dict[str, NDArray[np.intp]]]:
        """The answer to all rows; and by code the rows that have none."""
        bundle = model.bundle
        failure: Exception = NoAnswer(_UNANSWERED)
        unasked, wrong = np.zeros((2, len(table)), dtype=bool)
        answer: Predictions
        try:
            answer = bundle.predict(table, probabilities=probabilities)
        except Exception as error:  # noqa: BLE001  # a third-party estimator may raise anything
            failure = error
            answer, unasked, wrong = self._ask_in_parts(bundle, table, probabilities=probabilities)
        silent = answer.invalid
        if not silent.any() and isinstance(failure, NoAnswer):
            return answer, {}
        self._errors.record(model.name, model.version, failure)
        if silent.all() and not wrong.all() and not _answers_example(bundle, probabilities=probabilities):
            wrong = silent
        codes = {"no-answer": silent & ~unasked & ~wrong, "not-asked": unasked & ~wrong, MODEL_ERROR: wrong}
        return _without(answer, silent), {code: np.flatnonzero(rows) for code, rows in codes.items() if rows.any()}

    def _ask_in_parts(
        self, bundle: Bundle, table: Table, *, probabilities: bool
    ) -> tuple[Predictions, NDArray[np.bool_], NDArray[np.bool_]]:
        """
        Ask again in halves, and halves of halves: nothing is told where the model fails.

        scikit-learn refuses a whole batch for one row that becomes infinite on its way. After so long that someone
        must mean it, what is left is not asked, and its rows are told so.

        Returns:
            The answer, which rows were not asked, and for which the model returned invalid predictions.
        """
        told = _nothing(bundle, len(table), probabilities=probabilities)
        unasked, wrong = np.zeros((2, len(table)), dtype=bool)
        parts, deadline = deque([(0, len(table))]), monotonic() + self._patience_s
        while parts:
            # The largest first: when time is up, as many rows as can be have their answer.
            start, stop = parts.popleft()
            if monotonic() > deadline:
                unasked[start:stop] = True
                continue
            try:
                answer = bundle.predict(table[start:stop], probabilities=probabilities)
            except Exception as error:  # noqa: BLE001  # as above
                middle = (start + stop) // 2
                parts.extend([(start, middle), (middle, stop)] if start < middle else [])
                wrong[start:stop] = stop - start == 1 and isinstance(error, InvalidPredictions)
                continue
            told = _among(told, slice(start, stop), answer)
        return told, unasked, wrong


def _answers_example(bundle: Bundle, *, probabilities: bool) -> bool:
    """Whether the model answers one of its own examples; if not, the caller's rows are not to blame."""
    manifest = bundle.manifest
    batch = manifest.signature.check(list(zip(*manifest.examples.instances[:1], strict=True)))
    try:
        return not bundle.predict(batch.data, probabilities=probabilities).invalid.any()
    except Exception:  # noqa: BLE001  # as above
        return False


def _nothing(bundle: Bundle, rows: int, *, probabilities: bool) -> Predictions:
    """No answer to so many rows."""
    classes = len(bundle.manifest.classes)
    spread = np.full((rows, classes), np.nan) if probabilities and bundle.has_probabilities else None
    return Predictions(np.full(rows, NO_CLASS) if classes else np.full(rows, np.nan), spread, bundle.labels)


def _among(told: Predictions, rows: NDArray[np.bool_] | slice, answer: Predictions) -> Predictions:
    """Put the answer to some of the rows in its place."""
    told.values[rows] = answer.values
    if told.probabilities is not None:
        told.probabilities[rows] = answer.probabilities
    return told


def _without(answer: Predictions, silent: NDArray[np.bool_]) -> Predictions:
    nothing = np.nan if answer.values.dtype.kind == "f" else NO_CLASS
    return replace(answer, values=np.where(silent, nothing, answer.values))


class _Together:
    """One call of a model for several requests; the careful way is left to whom it has no answer for."""

    def __init__(self, model: Model, metrics: Metrics, errors: ModelErrors, cache: RowCache | None) -> None:
        self._failed = partial(errors.record, model.name, model.version)
        self._bundle = model.bundle
        self._signature = model.bundle.manifest.signature
        self._answers = Answers(model.bundle.manifest, failed_champion=model.failed_champion)
        self._predictions = metrics.predictions.labels(model.name, str(model.version))
        self._calls = metrics.calls.labels(model.name, str(model.version))
        self._cache = cache
        if cache:
            self._hits, self._misses = (
                kind.labels(model.name, str(model.version)) for kind in (metrics.cache_hits, metrics.cache_misses)
            )

    def __call__(self, requests: list[Rows]) -> list[bytes | None]:
        """The answers in JSON; None for a request of which a row has none."""
        sizes = list(map(len, requests))
        try:
            told = self._remembered(self._cache, requests) if self._cache else self._asked(requests)
        except Exception as error:
            self._failed(error)
            raise
        written = self._answers.write(told, sizes)
        self._calls.inc()
        self._predictions.inc(sum(size for size, answer in zip(sizes, written, strict=True) if answer is not None))
        return written

    def _asked(self, requests: list[Rows]) -> Predictions:
        return self._bundle.predict(_joined(self._signature, requests))

    def _remembered(self, cache: RowCache, requests: list[Rows]) -> Predictions:
        """What is known of the rows, and the model's word for the others."""
        rows = list(chain.from_iterable(each if isinstance(each, list) else plain_rows(each) for each in requests))
        told, known = cache.predict(rows, lambda new: self._bundle.predict(self._signature.assemble(new)))
        self._hits.inc(known)
        self._misses.inc(len(rows) - known)
        return told


def _joined(signature: Signature, requests: Sequence[Rows]) -> Table:
    """The rows of all requests as one table."""
    few = [rows for rows in requests if isinstance(rows, list)]
    if len(few) == len(requests):
        return signature.assemble(list(chain.from_iterable(few)))
    tables = [signature.assemble(rows) if isinstance(rows, list) else rows for rows in requests]
    if len(tables) == 1:
        return tables[0]
    if isinstance(tables[0], Columns):
        columns = zip(*(table.arrays for table in tables if isinstance(table, Columns)), strict=True)
        return Columns(tuple(map(np.concatenate, columns)))
    return np.concatenate([table for table in tables if isinstance(table, np.ndarray)])
