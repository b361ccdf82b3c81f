"""The heart: a checked batch goes in, labelled predictions come out."""

from collections import deque
from dataclasses import dataclass
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from artifacts import Batch
from artifacts.bundle import Answer, Bundle, self_test
from artifacts.signature import Table
from artifacts.values import Fault
from serve.registry import Model, Registry
from serve.telemetry import Metrics

# How long one batch may be asked again in parts. After that somebody must mean it.
PATIENCE_S = 5.0
_UNANSWERED = "the model has no answer for these values"
_UNASKED = "not asked: the model refused too many of the rows beside it; send it again without them"

# What an estimator raises for values that it cannot compute with; anything else is no fault of the rows.
_REFUSALS = (ValueError, TypeError, IndexError, ArithmeticError)


@dataclass(frozen=True, slots=True)
class Predictions:
    """
    The answer to a batch, a row a row.

    Attributes:
        labels: Shape (rows,) of labels, of a regressor numbers; None where the row was not good.
        probabilities: Shape (rows, classes), NaN where the row was not good; None if not asked for or not had.
        faults: The batch's, and one for the rows that the model itself has no answer for.
    """

    model: Model
    labels: NDArray[np.object_]
    probabilities: NDArray[np.float64] | None
    faults: tuple[Fault, ...]


class Inference:
    """Predicts, and counts what it predicted."""

    def __init__(self, registry: Registry, metrics: Metrics, *, patience_s: float = PATIENCE_S) -> None:
        self._registry = registry
        self._predictions = metrics.predictions
        self._patience_s = patience_s

    def predict(self, model: Model, batch: Batch, *, probabilities: bool = True) -> Predictions:
        """One call of the model for all good rows of a batch."""
        rows = len(batch.good)
        labels = np.full(rows, None, dtype=object)
        wanted = probabilities and model.bundle.has_probabilities
        spread = np.full((rows, len(model.bundle.manifest.classes)), np.nan) if wanted else None
        if not batch.good.any():
            return Predictions(model, labels, spread, batch.faults)
        answer, silent = self._ask(model.bundle, batch.data, probabilities=probabilities)
        labels[batch.good] = answer.labels
        if spread is not None:
            spread[batch.good] = answer.probabilities
        unanswered = sum(len(rows) for rows in silent.values())
        self._predictions.labels(model.name, str(model.version)).inc(len(answer.labels) - unanswered)
        messages = {"no-answer": _UNANSWERED, "not-asked": _UNASKED}
        found = [Fault(code, messages[code], np.flatnonzero(batch.good)[rows]) for code, rows in silent.items()]
        return Predictions(model, labels, spread, (*batch.faults, *found))

    def canary(self) -> None:
        """
        Ask every model in memory its own examples.

        Raises:
            ArtifactSelfTest: One of them no longer answers as it did.
        """
        for served in self._registry.all():
            for model in served.versions.values():
                self_test(model.bundle)

    def _ask(self, bundle: Bundle, data: Table, *, probabilities: bool) -> tuple[Answer, dict[str, NDArray[np.intp]]]:
        """The answer to all rows, and by code which have none: refused, nothing finite said of them, or never asked."""
        unasked = np.zeros(len(data), dtype=bool)
        try:
            answer = bundle.predict(data, probabilities=probabilities)
        except _REFUSALS:
            answer, unasked = self._ask_in_parts(bundle, data, probabilities=probabilities)
        silent = np.array([label is None for label in answer.labels], dtype=bool) & ~unasked
        numbers = answer.labels[:, None].astype(float) if bundle.labels is None else answer.probabilities
        if numbers is not None:
            silent |= ~np.isfinite(numbers).all(axis=1) & ~unasked
        answer.labels[silent] = None
        codes = {"no-answer": np.flatnonzero(silent), "not-asked": np.flatnonzero(unasked)}
        return answer, {code: rows for code, rows in codes.items() if rows.size}

    def _ask_in_parts(self, bundle: Bundle, data: Table, *, probabilities: bool) -> tuple[Answer, NDArray[np.bool_]]:
        """
        Ask again in halves, and halves of halves: a label is None where the model refuses.

        scikit-learn refuses a whole batch for one row that becomes infinite on its way. After so long that someone
        must mean it, what is left is not asked, and its rows are told so.
        """
        labels = np.full(len(data), None, dtype=object)
        wanted = probabilities and bundle.has_probabilities
        spread = np.full((len(data), len(bundle.manifest.classes)), np.nan) if wanted else None
        unasked = np.zeros(len(data), dtype=bool)
        parts, deadline = deque([(0, len(data))]), monotonic() + self._patience_s
        while parts:
            # The largest first: when time is up, as many rows as can be have their answer.
            start, stop = parts.popleft()
            if monotonic() > deadline:
                unasked[start:stop] = True
                continue
            try:
                answer = bundle.predict(data[start:stop], probabilities=probabilities)
            except _REFUSALS:
                middle = (start + stop) // 2
                parts.extend([(start, middle), (middle, stop)] if start < middle else [])
                continue
            labels[start:stop] = answer.labels
            if spread is not None:
                spread[start:stop] = answer.probabilities
        return Answer(labels, spread), unasked
