"""Whether a model answers no better than chance for the rows that it is published with, and the likely reason."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import balanced_accuracy_score, r2_score

from artifacts.predictions import Predictions
from train.rows import Rows

# Fewer rows say too little.
FEWEST_ROWS = 50
# A model that reaches a tenth of the way from chance to perfection is a weak one, and is not warned of.
_WEAK = 0.1
_PERMUTATIONS = 999
_SIGNIFICANT = 0.05
_SEED = 0
# What the answers must reach under another reading of the rows for that to be named as the reason.
_EXPLAINED = 0.5
_REASONS = (
    "was it fitted on rows that were transformed outside of it (scaled, encoded), on columns in another order, or on "
    "other codes for the classes?"
)
_SCALED = (
    "it answers far better for these rows once they are standardized: was it fitted on scaled rows? Publish a Pipeline "
    "with the scaler in it"
)
_CODED = (
    "its answers suit y far better under other codes for the classes: were they encoded otherwise when it was fitted?"
)


def chance_warning(estimator: Any, rows: Rows, answers: Predictions, y: ArrayLike | None) -> str:
    """
    Return a warning if the answers to rows are no better than chance; an empty text if they are, or if y is not known.

    Of a regressor, R2 is 0 or less. Of a classifier with k classes in y, balanced accuracy is at most
    1/k + (1 - 1/k)/10, and a permutation of y does as well as y in more than one of twenty: both are asked, so that a
    weak model on few rows is seldom taken for a guess.

    Args:
        estimator: Fitted.
        rows: What it was called with.
        answers: Shape (rows,), what it answered.
        y: Shape (rows,), what is true of them.

    Source: Ojala and Garriga (2010), "Permutation Tests for Studying Classifier Performance", JMLR 11, test 1.
    """
    if y is None or len(rows.frame) < FEWEST_ROWS:
        return ""
    true = np.asarray(y).ravel()
    if answers.label_map is None:
        return _of_regressor(estimator, rows, answers.values, true.astype(np.float64))
    places = np.searchsorted(estimator.classes_, true.astype(estimator.classes_.dtype))
    return _of_classifier(estimator, rows, answers.values, places)


def _of_regressor(estimator: Any, rows: Rows, predicted: NDArray[Any], true: NDArray[np.float64]) -> str:
    if np.ptp(true) == 0:
        return ""
    score = float(r2_score(true, predicted))
    if score > 0:
        return ""
    scaled = _on_scaled(estimator, rows)
    is_scaled = scaled is not None and r2_score(true, scaled.astype(np.float64)) > _EXPLAINED
    return _text(rows, f"R2 is {score:.3g}, and always the mean reaches 0", _SCALED if is_scaled else _REASONS)


def _of_classifier(estimator: Any, rows: Rows, predicted: NDArray[Any], true: NDArray[np.intp]) -> str:
    known, codes = np.unique(true, return_inverse=True)
    if len(known) < 2:
        return ""
    chance, score = 1 / len(known), float(balanced_accuracy_score(true, predicted))
    if score > chance + _WEAK * (1 - chance) or not _is_guess(predicted, known, codes):
        return ""
    said = f"balanced accuracy is {score:.3f}, and chance reaches {chance:.3f}"
    return _text(rows, said, _reason(estimator, rows, predicted, true, chance))


def _is_guess(predicted: NDArray[Any], known: NDArray[np.intp], codes: NDArray[np.intp]) -> bool:
    """Whether permutations of y do as well as y in more than one of twenty."""
    # Balanced accuracy is the sum of these over the rows that are right.
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
    """The balanced accuracy if each class that is answered stood for the true class that it meets most, one each."""
    counts = np.zeros((max(true.max(), predicted.max()) + 1,) * 2)
    np.add.at(counts, (true[predicted >= 0], predicted[predicted >= 0]), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    taken, free = 0.0, shares.copy()
    for _ in range(len(free)):
        row, column = np.unravel_index(np.argmax(free), free.shape)
        taken += float(free[row, column])
        free[row, :], free[:, column] = -1, -1
    return taken / len(np.unique(true))


def _on_scaled(estimator: Any, rows: Rows) -> NDArray[Any] | None:
    """What it answers for the rows with mean 0 and deviation 1 in each column; None where that cannot be said."""
    if not all(dtype.kind in "iuf" for dtype in rows.frame.dtypes):
        return None
    table = rows.frame.astype(float)
    scaled = (table - table.mean()) / table.std(ddof=0).replace(0, 1)
    try:
        return np.asarray(estimator.predict(scaled if rows.container == "frame" else scaled.to_numpy())).ravel()
    except Exception:  # noqa: BLE001  # only a hint is looked for; a model of any library may refuse such rows
        return None


def _text(rows: Rows, said: str, reason: str) -> str:
    return f"the model is no better than chance on the {len(rows.frame):,} rows of X: {said}; {reason}"
