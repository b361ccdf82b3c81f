"""Call one version for the rows of several callers at once."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate, chain
from time import perf_counter

from artifacts import Predictions
from serve.inference.cache import RowCache
from serve.inference.calls import Call, join, to_rows, to_table
from serve.inference.model_errors import ModelErrors
from serve.inference.observers import Observers
from serve.inference.registry import LoadedModel


class JointCall:
    """Predicts several calls of one version; a call with a row that has no prediction must be repeated separately."""

    def __init__(self, model: LoadedModel, errors: ModelErrors, observers: Observers, cache: RowCache | None) -> None:
        self._model = model
        self._record = partial(errors.record, model.name, model.version)
        self._bundle = model.bundle
        self._signature = model.bundle.manifest.signature
        self._observers = observers
        self._cache = cache

    def __call__(self, calls: list[Call]) -> Sequence[Predictions | None]:
        """Return the predictions of each call; None for a call with a row that has none."""
        began = perf_counter()
        try:
            joint, cached = self._cached(self._cache, calls) if self._cache else (self._predict(calls), None)
        except Exception as error:
            # A single call is repeated, and its failure recorded then.
            if len(calls) > 1:
                self._record(error)
            raise
        parts: Sequence[Predictions | None] = [joint] if len(calls) == 1 else _split(joint, calls)
        rows = valid = len(joint)
        if not joint.is_valid:
            parts = [part if part.is_valid else None for part in _split(joint, calls)]
            valid = sum(len(part) for part in parts if part)
        took_s = perf_counter() - began
        self._observers.add(self._model, calls, parts, took_s, rows=rows, valid=valid, cached=cached)
        return parts

    def _predict(self, calls: list[Call]) -> Predictions:
        if len(calls) == 1:
            [call] = calls
            return self._bundle.predict(to_table(self._signature, call.rows), probabilities=call.probabilities)
        probabilities = any(call.probabilities for call in calls)
        return self._bundle.predict(join(self._signature, [call.rows for call in calls]), probabilities=probabilities)

    def _cached(self, cache: RowCache, calls: list[Call]) -> tuple[Predictions, int]:
        """Return predictions from the cache, or the model where it has none, and the number of cached rows."""
        rows = list(chain.from_iterable(to_rows(call.rows) for call in calls))
        predictions, cached = cache.predict(rows, lambda new: self._bundle.predict(self._signature.assemble(new)))
        return replace(predictions, label_map=self._bundle.labels), cached


def _split(joint: Predictions, calls: Sequence[Call]) -> list[Predictions]:
    """Return the predictions of each call."""
    sizes = [len(call.rows) for call in calls]
    return [joint[stop - size : stop] for size, stop in zip(sizes, accumulate(sizes), strict=True)]
