"""The heart: a checked batch goes in, labelled predictions come out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from artifacts import Batch
from artifacts.bundle import Answer, Bundle, self_test
from artifacts.signature import Table
from artifacts.values import Fault
from serve.registry import Model, Registry
from serve.telemetry import Metrics

_MOST_REFUSALS = 512
_UNANSWERED = "the model has no answer for these values"


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
        answer, silent = _ask(model.bundle, batch.data, probabilities=probabilities)
        labels[batch.good] = answer.labels
        if spread is not None:
            spread[batch.good] = answer.probabilities
        self._predictions.labels(model.name, str(model.version)).inc(len(answer.labels) - silent.size)
        if not silent.size:
            return Predictions(model, labels, spread, batch.faults)
        fault = Fault("no-answer", _UNANSWERED, np.flatnonzero(batch.good)[silent])
        return Predictions(model, labels, spread, (*batch.faults, fault))

    def canary(self) -> None:
        """
        Ask every model in memory its own examples.

        Raises:
            ArtifactSelfTest: One of them no longer answers as it did.
        """
        for served in self._registry.all():
            for model in served.versions.values():
                self_test(model.bundle)


def _ask(bundle: Bundle, data: Table, *, probabilities: bool) -> tuple[Answer, NDArray[np.intp]]:
    """The answer to all rows, and which of them have none: the model refuses them, or says nothing finite of them."""
    try:
        answer = bundle.predict(data, probabilities=probabilities)
    except ValueError:
        answer = _ask_in_parts(bundle, data, probabilities=probabilities)
        silent = np.flatnonzero([label is None for label in answer.labels])
    else:
        silent = np.empty(0, dtype=np.intp)
    numbers = answer.labels[:, None].astype(float) if bundle.labels is None else answer.probabilities
    if numbers is not None and not np.isfinite(numbers).all():
        silent = np.flatnonzero(~np.isfinite(numbers).all(axis=1))
        answer.labels[silent] = None
    return answer, silent


def _ask_in_parts(bundle: Bundle, data: Table, *, probabilities: bool) -> Answer:
    """
    Ask again in halves, and halves of halves: a label is None where the model refuses.

    scikit-learn refuses a whole batch for one row that becomes infinite on its way. After so many refusals that
    someone must mean it, what is still refused is not divided any more.
    """
    labels = np.full(len(data), None, dtype=object)
    wanted = probabilities and bundle.has_probabilities
    spread = np.full((len(data), len(bundle.manifest.classes)), np.nan) if wanted else None
    parts, refusals = [(0, len(data))], 0
    while parts:
        start, stop = parts.pop()
        try:
            answer = bundle.predict(data[start:stop], probabilities=probabilities)
        except ValueError:
            refusals += 1
            middle = (start + stop) // 2
            parts += [(middle, stop), (start, middle)] if start < middle and refusals < _MOST_REFUSALS else []
            continue
        labels[start:stop] = answer.labels
        if spread is not None:
            spread[start:stop] = answer.probabilities
    return Answer(labels, spread)
