"""Predict the rows of one call; if the model fails, in ever smaller parts, until only rows that it refuses are left."""

from collections import deque
from dataclasses import replace
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artifacts import Bundle, Predictions
from artifacts.predictions import NO_CLASS, InvalidPredictions
from artifacts.signature import Table
from artifacts.values import Fault
from serve.inference.calls import Call, to_table
from serve.inference.faults import MESSAGES, MODEL_ERROR, NO_ANSWER, NOT_TRIED
from serve.inference.model_errors import ModelErrors, NoPrediction

# How long the parts of one refused call may be tried. Only a call that was made to do so takes longer.
RETRY_S = 5.0


def predict_single(call: Call, errors: ModelErrors, *, retry_s: float = RETRY_S) -> Predictions:
    """
    Predict the rows of one call; rows without a prediction are named in the faults.

    Args:
        call: The rows.
        errors: Records that the model failed.
        retry_s: How long the parts of a refused call may be tried.
    """
    bundle, probabilities = call.model.bundle, call.probabilities
    if not len(call.rows):
        return bundle.no_predictions(0, probabilities=probabilities)
    table = to_table(bundle.manifest.signature, call.rows)
    codes = np.full(len(table), NO_ANSWER, dtype=object)
    failure: Exception | None = None
    try:
        predictions = bundle.predict(table, probabilities=probabilities)
    except Exception as error:  # noqa: BLE001  # a third-party estimator may raise anything
        failure = error
        predictions = _predict_in_parts(bundle, table, codes, probabilities=probabilities, retry_s=retry_s)
    invalid = predictions.invalid
    if failure is None and not invalid.any():
        return predictions
    errors.record(call.model.name, call.model.version, failure or NoPrediction(MESSAGES[NO_ANSWER]))
    is_unexplained = invalid.all() and not (codes == MODEL_ERROR).all()
    if is_unexplained and not _predicts_example(bundle, probabilities=probabilities):
        codes[:] = MODEL_ERROR
    found = {code: np.flatnonzero(invalid & (codes == code)) for code in MESSAGES}
    faults = tuple(Fault(code, MESSAGES[code], rows) for code, rows in found.items() if rows.size)
    nothing = np.nan if predictions.values.dtype.kind == "f" else NO_CLASS
    return replace(predictions, values=np.where(invalid, nothing, predictions.values), faults=faults)


def _predict_in_parts(
    bundle: Bundle, table: Table, codes: NDArray[Any], *, probabilities: bool, retry_s: float
) -> Predictions:
    """
    Predict a refused table in halves, and halves of halves, until only the refused rows are left.

    scikit-learn refuses a whole table for one row that becomes infinite in a transformer. Rows that are left when the
    time is up are not tried, and `codes` gets the reason, as it does for rows with invalid predictions.
    """
    predictions = bundle.no_predictions(len(table), probabilities=probabilities)
    parts, deadline = deque([(0, len(table))]), monotonic() + retry_s
    while parts:
        # The largest part first: when the time is up, as many rows as possible have a prediction.
        start, stop = parts.popleft()
        if monotonic() > deadline:
            codes[start:stop] = NOT_TRIED
            continue
        try:
            part = bundle.predict(table[start:stop], probabilities=probabilities)
        except Exception as error:  # noqa: BLE001  # as above
            middle = (start + stop) // 2
            if start < middle:
                parts.extend([(start, middle), (middle, stop)])
            elif isinstance(error, InvalidPredictions):
                codes[start] = MODEL_ERROR
        else:
            predictions.put(slice(start, stop), part)
    return predictions


def _predicts_example(bundle: Bundle, *, probabilities: bool) -> bool:
    """Return whether the model predicts one of its own examples; if not, it fails whatever the rows are."""
    batch = bundle.manifest.signature.check(list(zip(*bundle.manifest.examples.instances[:1], strict=True)))
    try:
        return not bundle.predict(batch.data, probabilities=probabilities).invalid.any()
    except Exception:  # noqa: BLE001  # as above
        return False
