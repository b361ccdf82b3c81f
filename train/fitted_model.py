"""A fitted estimator with its signature, called in the way in which a server calls it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context, get_config

from artifacts.predictions import Predictions
from artifacts.runtimes.sklearn_runtime import predict_rows
from artifacts.signature import Signature
from train.errors import NotPublishable


@dataclass(frozen=True, slots=True)
class FittedModel:
    """
    A fitted estimator with what a server knows of it.

    Attributes:
        label_map: See `Predictions.label_map`; None for a regressor.
    """

    estimator: Any
    label_map: NDArray[np.object_] | None
    signature: Signature

    @property
    def is_classifier(self) -> bool:
        """Whether it predicts classes."""
        return self.label_map is not None

    @property
    def has_probabilities(self) -> bool:
        """Whether it predicts probabilities."""
        return self.is_classifier and hasattr(self.estimator, "predict_proba")

    def predict(self, columns: Sequence[Sequence[object]]) -> Predictions:
        """
        Predict rows that are passed as one list of native values per column.

        Raises:
            NotPublishable: They do not pass the columns' own check, or the model fails on them.
        """
        batch = self.signature.check(columns)
        if batch.faults:
            fault = batch.faults[0]
            raise NotPublishable(f"column {fault.column!r}, row {fault.rows[0]} of training: {fault.message}")
        try:
            # A server does not call sklearn.set_config, on which an estimator fitted in a notebook may rely.
            with config_context(transform_output="default", assume_finite=False):
                predictions = predict_rows(
                    self.estimator,
                    self.signature.as_fitted(batch.data),
                    classifies=self.is_classifier,
                    probabilities=self.has_probabilities,
                )
        except Exception as error:
            # A third-party estimator may raise anything; whatever it is, a server could not predict these rows.
            is_configured = get_config()["transform_output"] != "default"
            advice = "; in place of sklearn.set_config, call set_output on the pipeline" if is_configured else ""
            raise NotPublishable(f"the model cannot predict what a caller would send: {error}{advice}") from error
        return Predictions(predictions.values, predictions.probabilities, self.label_map)
