"""Rows without a prediction: the codes of their faults, and their places in a batch."""

from dataclasses import replace

import numpy as np

from artifacts import Batch, Bundle, Predictions
from artifacts.values import Fault

# The code of rows for which the model, and not the caller, is at fault.
MODEL_ERROR = "model-error"
NO_ANSWER = "no-answer"
NOT_TRIED = "not-asked"

MESSAGES = {
    NO_ANSWER: "the model has no prediction for these values",
    NOT_TRIED: "not tried, since the model failed for too many other rows; send this row again without them",
    MODEL_ERROR: "the model failed for this row",
}
_OVERDUE = "the model took too long for the rows that were predicted with this one"


def complete(predictions: Predictions, batch: Batch, bundle: Bundle, *, probabilities: bool) -> Predictions:
    """Return predictions for all rows of a batch: invalid rows have none, and all faults are included."""
    if len(predictions) == len(batch.good):
        return replace(predictions, faults=(*batch.faults, *predictions.faults))
    whole = bundle.no_predictions(len(batch.good), probabilities=probabilities)
    places = np.flatnonzero(batch.good)
    whole.put(places, predictions)
    moved = [replace(fault, rows=places[fault.rows]) for fault in predictions.faults]
    return replace(whole, faults=(*batch.faults, *moved))


def overdue_predictions(bundle: Bundle, batch: Batch) -> Predictions:
    """Return no predictions for a batch, because the model took too long."""
    overdue = Fault("deadline", _OVERDUE, np.flatnonzero(batch.good))
    nothing = bundle.no_predictions(len(batch.good), probabilities=True)
    return replace(nothing, faults=(*batch.faults, overdue))
