"""The scores of a fitted model on held-back rows, and whether they reach the thresholds."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    mean_absolute_error,
    r2_score,
    root_mean_squared_error,
)

from train.admission import Task
from train.errors import BelowThreshold


@dataclass(frozen=True, slots=True)
class Evaluation:
    """
    The scores of a model on held-back rows.

    Attributes:
        rows: How many rows.
        scores: By name; higher is better for every score.
        confusion: Shape (classes, classes) of counts, one row per true class; None for a regressor.
    """

    rows: int
    scores: dict[str, float]
    confusion: NDArray[np.int64] | None = None


def evaluate(estimator: Any, task: Task, X: Any, y: ArrayLike) -> Evaluation:
    """Score a fitted estimator on held-back rows; a score that is undefined for them is left out."""
    true = np.asarray(y).ravel()
    predicted = np.asarray(estimator.predict(X)).ravel()
    with warnings.catch_warnings():
        # R² of one row and balanced accuracy of one class are undefined, and then left out.
        warnings.simplefilter("ignore")
        if task == "regression":
            return Evaluation(len(true), _finite(_regression_scores(true, predicted)))
        counts = confusion_matrix(true, predicted, labels=estimator.classes_)
        return Evaluation(len(true), _finite(_classification_scores(estimator, X, true, predicted)), counts)


def _classification_scores(estimator: Any, X: Any, true: NDArray[Any], predicted: NDArray[Any]) -> dict[str, Any]:
    scores = {
        "accuracy": accuracy_score(true, predicted),
        "balanced_accuracy": balanced_accuracy_score(true, predicted),
        "f1_macro": f1_score(true, predicted, average="macro"),
    }
    if hasattr(estimator, "predict_proba"):
        # Negated, as scikit-learn's scorers do: higher is better for every score.
        scores["neg_log_loss"] = -log_loss(true, estimator.predict_proba(X), labels=estimator.classes_)
    return scores


def _regression_scores(true: NDArray[Any], predicted: NDArray[Any]) -> dict[str, Any]:
    return {
        "r2": r2_score(true, predicted),
        "neg_mean_absolute_error": -mean_absolute_error(true, predicted),
        "neg_root_mean_squared_error": -root_mean_squared_error(true, predicted),
    }


def _finite(scores: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(score) for name, score in scores.items() if isfinite(score)}


def check_thresholds(thresholds: Mapping[str, float], scores: Mapping[str, float]) -> None:
    """
    Compare the scores with the thresholds of a recipe.

    Raises:
        BelowThreshold: A score is lower than its threshold, or was not measured.
    """
    for name, threshold in thresholds.items():
        reached = scores.get(name, nan)
        if not reached >= threshold:
            raise BelowThreshold(name, reached=reached, threshold=threshold)
