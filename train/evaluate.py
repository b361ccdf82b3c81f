"""How good a fitted model is on rows that it has not seen, and whether that is good enough."""

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
    What the held-back rows say of a model.

    Attributes:
        rows: How many there were.
        scores: By name; of every score, more is better.
        confusion: Shape (classes, classes) of counts: a row a true class; None of a regressor.
    """

    rows: int
    scores: dict[str, float]
    confusion: NDArray[np.int64] | None = None


def evaluate(estimator: Any, task: Task, X: Any, y: ArrayLike) -> Evaluation:
    """Judge a fitted estimator by rows that it has not seen; a score that so few rows do not have is left out."""
    told = np.asarray(y).ravel()
    predicted = np.asarray(estimator.predict(X)).ravel()
    with warnings.catch_warnings():
        # One row has no R², and one class no balance: that is told by the score's absence.
        warnings.simplefilter("ignore")
        if task == "regression":
            return Evaluation(len(told), _named(_errors(told, predicted)))
        counts = confusion_matrix(told, predicted, labels=estimator.classes_)
        return Evaluation(len(told), _named(_hits(estimator, X, told, predicted)), counts)


def _hits(estimator: Any, X: Any, told: NDArray[Any], predicted: NDArray[Any]) -> dict[str, Any]:
    scores = {
        "accuracy": accuracy_score(told, predicted),
        "balanced_accuracy": balanced_accuracy_score(told, predicted),
        "f1_macro": f1_score(told, predicted, average="macro"),
    }
    if hasattr(estimator, "predict_proba"):
        # Negated, as scikit-learn's scorers do: of every score, more is better.
        scores["neg_log_loss"] = -log_loss(told, estimator.predict_proba(X), labels=estimator.classes_)
    return scores


def _errors(told: NDArray[Any], predicted: NDArray[Any]) -> dict[str, Any]:
    return {
        "r2": r2_score(told, predicted),
        "neg_mean_absolute_error": -mean_absolute_error(told, predicted),
        "neg_root_mean_squared_error": -root_mean_squared_error(told, predicted),
    }


def _named(scores: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(score) for name, score in scores.items() if isfinite(score)}


def demand(thresholds: Mapping[str, float], scores: Mapping[str, float]) -> None:
    """
    Hold the scores against what a recipe demands.

    Raises:
        BelowThreshold: A score is lower than its threshold, or was not measured.
    """
    for name, demanded in thresholds.items():
        reached = scores.get(name, nan)
        if not reached >= demanded:
            raise BelowThreshold(name, reached=reached, demanded=demanded)
