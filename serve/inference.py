"""The heart: a checked batch goes in, labelled predictions come out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from artifacts import Batch
from artifacts.bundle import Answer, Bundle, self_test
from artifacts.columns import Fault, Table
from serve.registry import Model, Registry
from serve.telemetry import Metrics

_UNANSWERED = "the model has no answer for these values"


@dataclass(frozen=True, slots=True)
class Predictions:
    """
    The answer to a batch, a row a row.

    Attributes:
        labels: Shape (rows,) of labels; None where the row was not good.
        probabilities: Shape (rows, classes), NaN where the row was not good; None if not asked for or not had.
        faults: The batch's, and one for the rows that the model itself has no answer for.
    """

    model: Model
    labels: NDArray[np.object_]
    probabilities: NDArray[np.float64] | None
    faults: tuple[Fault, ...]


class Inference:
    """Predicts, and counts what it predicted."""

    def __init__(self, registry: Registry, metrics: Metrics) -> None:
        self._registry = registry
        self._predictions = metrics.predictions

    def predict(self, model: Model, batch: Batch, *, probabilities: bool = True) -> Predictions:
        """One call of the model for all good rows of a batch."""
        rows = len(batch.good)
        labels = np.full(rows, None, dtype=object)
        wanted = probabilities and model.bundle.has_probabilities
        spread = np.full((rows, len(model.bundle.manifest.classes)), np.nan) if wanted else None
        if not batch.good.any():
            return Predictions(model, labels, spread, batch.faults)
        answer = _ask(model.bundle, batch.data, probabilities=probabilities)
        labels[batch.good] = answer.labels
        if spread is not None:
            spread[batch.good] = answer.probabilities
        answered = np.array([label is not None for label in labels.tolist()])
        silent = np.flatnonzero(batch.good & ~answered)
        self._predictions.labels(model.name, str(model.version)).inc(int(np.count_nonzero(answered)))
        faults = (Fault("no-answer", _UNANSWERED, silent),) if silent.size else ()
        return Predictions(model, labels, spread, (*batch.faults, *faults))

    def canary(self) -> None:
        """
        Ask every model in memory its own examples.

        Raises:
            ArtifactSelfTest: One of them no longer answers as it did.
        """
        for served in self._registry.all():
            for model in served.versions.values():
                self_test(model.bundle)


def _ask(bundle: Bundle, data: Table, *, probabilities: bool) -> Answer:
    """
    The answer to all rows; a label is None where the model refuses its row, or says nothing finite of it.

    scikit-learn refuses a whole batch for one row that becomes infinite on its way, so a batch that is refused is
    asked in halves, down to the rows themselves.
    """
    try:
        answer = bundle.predict(data, probabilities=probabilities)
    except ValueError:
        if len(data) > 1:
            return _ask_halves(bundle, data, probabilities=probabilities)
        return Answer(np.array([None], dtype=object), np.full((1, len(bundle.manifest.classes)), np.nan))
    if answer.probabilities is None or np.isfinite(answer.probabilities).all():
        return answer
    labels = answer.labels.copy()
    labels[~np.isfinite(answer.probabilities).all(axis=1)] = None
    return Answer(labels, answer.probabilities)


def _ask_halves(bundle: Bundle, data: Table, *, probabilities: bool) -> Answer:
    middle = len(data) // 2
    halves = [_ask(bundle, half, probabilities=probabilities) for half in (data[:middle], data[middle:])]
    spreads = [half.probabilities for half in halves if half.probabilities is not None]
    labels = np.concatenate([half.labels for half in halves])
    return Answer(labels, np.concatenate(spreads) if len(spreads) == len(halves) else None)
