"""Warn of a model that is no better than chance on the rows that it is published with, with the likely reason."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]  # scipy has no types
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, r2_score

from artifacts.predictions import Predictions
from train.rows import Rows

# Fewer rows are not conclusive.
FEWEST_ROWS = 50
# A model that gets a tenth of the way from chance to perfection is weak, and not warned of.
_WEAK = 0.1
_PERMUTATIONS = 999
_SIGNIFICANT = 0.05
_SEED = 0
# The score from which on another interpretation of rows or classes is named as the reason.
_EXPLAINED = 0.5
_REASONS = (
    "was it fitted on rows that were transformed outside of the model (scaled, encoded), on columns in another order, "
    "or on other codes for the classes?"
)
_SCALED = (
    "its predictions are far better for these rows once they are standardized: was it fitted on scaled rows? Publish a "
    "Pipeline that contains the scaler"
)
_CODED = "its predictions fit y far better with other codes for the classes: were they encoded differently for fitting?"


def chance_warning(estimator: Any, rows: Rows, predictions: Predictions, y: ArrayLike | None) -> str:
    """
    Return a warning if predictions are no better than chance; an empty text if they are, or if y is not known.

    For a regressor, R2 is 0 or less. For a classifier with k classes in y, balanced accuracy is at most
    1/k + (1 - 1/k)/10, and a permutation of y does as well as y in more than one of twenty cases: both are required, so
    that a weak model on few rows is seldom taken for a guess.

    Args:
        estimator: Fitted.
        rows: The rows that were predicted.
        predictions: Of the estimator for these rows.
        y: Shape (rows,), the true class or number of each.

    Source: Ojala and Garriga (2010), "Permutation Tests for Studying Classifier Performance", JMLR 11, test 1.
    """
    if y is None or len(rows.frame) < FEWEST_ROWS:
        return ""
    true = np.asarray(y).ravel()
    if predictions.label_map is None:
        return _of_regressor(estimator, rows, predictions.values, true.astype(np.float64))
    places = np.searchsorted(estimator.classes_, true.astype(estimator.classes_.dtype))
    return _of_classifier(estimator, rows, predictions.values, places)


def _of_regressor(estimator: Any, rows: Rows, predicted: NDArray[Any], true: NDArray[np.float64]) -> str:
    if np.ptp(true) == 0:
        return ""
    score = float(r2_score(true, predicted))
    if score > 0:
        return ""
    scaled = _on_scaled(estimator, rows)
    is_scaled = scaled is not None and r2_score(true, scaled.astype(np.float64)) > _EXPLAINED
    return _warning(
        rows, f"R2 is {score:.3g}, and always predicting the mean reaches 0", _SCALED if is_scaled else _REASONS
    )


def _of_classifier(estimator: Any, rows: Rows, predicted: NDArray[Any], true: NDArray[np.intp]) -> str:
    known, codes = np.unique(true, return_inverse=True)
    if len(known) < 2:
        return ""
    chance, score = 1 / len(known), float(balanced_accuracy_score(true, predicted))
    if score > chance + _WEAK * (1 - chance) or not _is_guess(predicted, known, codes):
        return ""
    text = f"balanced accuracy is {score:.3f}, and chance reaches {chance:.3f}"
    return _warning(rows, text, _reason(estimator, rows, predicted, true, chance))


def _is_guess(predicted: NDArray[Any], known: NDArray[np.intp], codes: NDArray[np.intp]) -> bool:
    """Return whether permutations of y do as well as y in more than one of twenty cases."""
    # Balanced accuracy is the sum of these weights over the rows that are predicted correctly.
    weights = 1 / (len(known) * np.bincount(codes))
    draw = np.random.default_rng(_SEED)
    right = weights[codes] * (known[codes] == predicted)
    shuffled = (draw.permutation(codes) for _ in range(_PERMUTATIONS))
    as_good = sum(float((weights[each] * (known[each] == predicted)).sum()) >= right.sum() - 1e-12 for each in shuffled)
    return bool((as_good + 1) / (_PERMUTATIONS + 1) > _SIGNIFICANT)


def _reason(estimator: Any, rows: Rows, predicted: NDArray[Any], true: NDArray[np.intp], chance: float) -> str:
    enough = chance + _EXPLAINED * (1 - chance)
    scaled = _on_scaled(estimator, rows)
    if scaled is not None and balanced_accuracy_score(estimator.classes_[true], scaled) > enough:
        return _SCALED
    if _recoded(predicted, true) > enough:
        return _CODED
    return _REASONS


def _recoded(predicted: NDArray[Any], true: NDArray[np.intp]) -> float:
    """Return the balanced accuracy under the best one-to-one mapping of predicted to true classes."""
    counts = confusion_matrix(true, predicted)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return float(shares[linear_sum_assignment(shares, maximize=True)].sum()) / len(np.unique(true))


def _on_scaled(estimator: Any, rows: Rows) -> NDArray[Any] | None:
    """Predict the rows with mean 0 and deviation 1 in each column; None if that is not possible."""
    if not all(dtype.kind in "iuf" for dtype in rows.frame.dtypes):
        return None
    table = rows.frame.astype(float)
    scaled = (table - table.mean()) / table.std(ddof=0).replace(0, 1)
    try:
        return np.asarray(estimator.predict(scaled if rows.container == "frame" else scaled.to_numpy())).ravel()
    except Exception:  # noqa: BLE001  # this only looks for a hint; a model of any library may raise anything
        return None


def _warning(rows: Rows, score: str, reason: str) -> str:
    return f"the model is no better than chance on the {len(rows.frame):,} rows of X: {score}; {reason}"
