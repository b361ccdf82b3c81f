"""The proof that rows which callers send get the predictions that the estimator makes offline."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artifacts.predictions import InvalidPredictions, Predictions
from artifacts.runtimes.sklearn_runtime import check_output
from artifacts.self_test import largest_difference
from train.errors import NotPublishable
from train.fitted_model import FittedModel
from train.rows import Rows, evenly

TOLERANCE = 1e-9
# So many rows are sent as a caller would send them, and compared.
PROVED = 10_000
# So many of them are also sent one at a time.
_SINGLE = 16


def prove_round_trip(
    model: FittedModel, rows: Rows, *, tolerance: float = TOLERANCE
) -> tuple[list[list[object]], Predictions]:
    """
    Show that rows sent as native values get the predictions of the rows that the estimator was fitted on.

    Returns:
        At most 10,000 of the rows, as one list of native values per column, and their predictions.

    Raises:
        NotPublishable: The predictions differ by more than the tolerance.
    """
    if rows.given is not None:
        _prove_converted(model, rows, tolerance=tolerance)
    sample = rows.sample(PROVED)
    kind = type(model.estimator).__name__
    expected = _predict_offline(model, sample)
    columns = sample.values()
    predictions = model.predict(columns)
    apart, apart_single = (
        prediction_difference(predictions, expected),
        _difference_of_single_rows(model, columns, predictions),
    )
    if not apart <= tolerance:
        raise NotPublishable(
            f"{kind} predicts something else for rows that a caller sends than for the rows of X: is it the X that it "
            f"was fitted on, and is nothing in predict random? {_difference_text(apart, tolerance)}"
        )
    if not apart_single <= tolerance:
        raise NotPublishable(
            f"{kind} predicts something else for a single row than for the same row among others. "
            f"{_difference_text(apart_single, tolerance)}"
        )
    return columns, predictions


def prediction_difference(got: Predictions, expected: Predictions) -> float:
    """Return how far two predictions for the same rows are apart at most; infinity where a class differs."""
    if expected.label_map is None:
        return largest_difference(got.values, expected.values)
    if not np.array_equal(got.values, expected.values):
        return np.inf
    if got.probabilities is None or expected.probabilities is None:
        return 0.0
    return largest_difference(got.probabilities, expected.probabilities)


def _prove_converted(model: FittedModel, rows: Rows, *, tolerance: float) -> None:
    """
    Compare the predictions for what was passed as X, such as a table of polars, with those for its conversion.

    Raises:
        NotPublishable: They differ, or the model cannot predict the conversion.
    """
    library = type(rows.given).__module__.partition(".")[0]
    advice = (
        "nullable and fractions change the dtypes of integers and booleans: fit the model on X with these dtypes"
        if library in {"pandas", "numpy"}
        else f"a server calls the model with a table of {library} converted to pandas: fit it on X.to_pandas()"
    )
    first = rows.take(np.arange(min(PROVED, len(rows.frame))))
    expected = _predict_offline(model, Rows(rows.given[:PROVED], first.frame))
    try:
        got = _predict_offline(model, first)
    except NotPublishable as error:
        raise NotPublishable(f"{error}; {advice}") from error
    if not prediction_difference(got, expected) <= tolerance:
        raise NotPublishable(
            f"{advice}. The predictions differ, which happens if one of them has None for a null and the other NaN"
        )


def _difference_text(apart: float, tolerance: float) -> str:
    if np.isinf(apart):
        return "It predicts another class"
    return (
        f"The predictions are {apart:g} apart, and the tolerance is {tolerance:g}; if that is rounding, as in single "
        "precision or where large terms cancel, fit on float64 and scaled columns, or publish with a tolerance, such "
        "as 1e-4"
    )


def _difference_of_single_rows(model: FittedModel, columns: Sequence[Sequence[object]], together: Predictions) -> float:
    """Return how far the predictions for single rows are at most from those for all rows in one call."""
    rows = np.unique(evenly(len(together), _SINGLE))
    return max(
        prediction_difference(model.predict([[column[row]] for column in columns]), together[row : row + 1])
        for row in rows.tolist()
    )


def _predict_offline(model: FittedModel, rows: Rows) -> Predictions:
    """
    Predict rows as they were passed.

    Raises:
        NotPublishable: What the estimator returns cannot be served.
    """
    kind, count = type(model.estimator).__name__, len(rows.frame)
    predicted = _call(model, rows, "predict")
    _check_predicted(model, predicted, count)
    spread = None
    if model.has_probabilities:
        spread = _call(model, rows, "predict_proba")
        if spread.shape != (count, len(model.estimator.classes_)):
            raise NotPublishable(f"{kind} does not return one probability per class")
        if not np.isfinite(spread).all():
            raise NotPublishable(
                f"{kind} predicts probabilities that are NaN or infinite for some rows of X, which JSON cannot hold"
            )
    try:
        checked = check_output(model.estimator, predicted, spread, rows=count, classifies=model.is_classifier)
    except InvalidPredictions as error:
        raise NotPublishable(f"{kind} cannot be served: {error}") from error
    return Predictions(checked.values, checked.probabilities, model.label_map)


def _check_predicted(model: FittedModel, predicted: NDArray[Any], count: int) -> None:
    kind = type(model.estimator).__name__
    if predicted.ndim > 1 and predicted.shape[1] > 1:
        raise NotPublishable(f"{kind} has several outputs: publish one model per output")
    if predicted.size != count:
        raise NotPublishable(
            f"{kind} returns {predicted.size} predictions for {count} rows: is it the X that it was fitted on? "
            "A vectorizer takes a Series of texts, not a DataFrame"
        )
    if not model.is_classifier and not np.isfinite(predicted.astype(np.float64)).all():
        raise NotPublishable(f"{kind} predicts NaN or infinity for some rows of X, which JSON cannot hold")
    if model.is_classifier and not np.isin(predicted, model.estimator.classes_).all():
        raise NotPublishable(f"{kind} predicts a value that is not in its classes_")


def _call(model: FittedModel, rows: Rows, method: str) -> NDArray[Any]:
    """
    Call a method of the estimator with the rows as they were passed.

    Raises:
        NotPublishable: It fails, or warns that it was fitted with feature names and called without, or the reverse.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="X (does not have|has feature names)")
        try:
            return np.asarray(getattr(model.estimator, method)(rows.data))
        except Exception as error:
            # A third-party estimator may raise anything; whatever it is, it cannot predict these rows.
            kind = type(model.estimator).__name__
            raise NotPublishable(f"{kind} cannot {method} X; is it what it was fitted on? {error}") from error
