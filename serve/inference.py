"""The heart: a checked batch goes in, labelled predictions come out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from artifacts import Batch
from artifacts.bundle import self_test
from serve.registry import Model, Registry
from serve.telemetry import Metrics


@dataclass(frozen=True, slots=True)
class Predictions:
    """
    The answer to a batch, a row a row.

    Attributes:
        labels: Shape (rows,) of labels; None where the row was not good.
        probabilities: Shape (rows, classes), NaN where the row was not good; None if not asked for or not had.
    """

    model: Model
    labels: NDArray[np.object_]
    probabilities: NDArray[np.float64] | None


class Inference:
    """Predicts, and counts what it predicted."""

    def __init__(self, registry: Registry, metrics: Metrics) -> None:
        self._registry = registry
        self._predictions = metrics.predictions

    def predict(self, model: Model, batch: Batch, *, probabilities: bool = True) -> Predictions:
        """One call of the model for all good rows of a batch."""
        rows = len(batch.good)
        good = int(np.count_nonzero(batch.good))
        if not good:
            width = len(model.bundle.manifest.classes)
            wanted = probabilities and model.bundle.has_probabilities
            return Predictions(
                model, np.full(rows, None, dtype=object), np.full((rows, width), np.nan) if wanted else None
            )
        answer = model.bundle.predict(batch.data, probabilities=probabilities)
        self._predictions.labels(model.name, str(model.version)).inc(good)
        if good == rows:
            return Predictions(model, answer.labels, answer.probabilities)
        labels = np.full(rows, None, dtype=object)
        labels[batch.good] = answer.labels
        if answer.probabilities is None:
            return Predictions(model, labels, None)
        spread = np.full((rows, answer.probabilities.shape[1]), np.nan)
        spread[batch.good] = answer.probabilities
        return Predictions(model, labels, spread)

    def canary(self) -> None:
        """
        Ask every model in memory its own examples.

        Raises:
            ArtifactSelfTest: One of them no longer answers as it did.
        """
        for served in self._registry.all():
            for model in served.versions.values():
                self_test(model.bundle)
