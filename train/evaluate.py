"""How good a fitted model is on rows that it has not seen, and whether that is good enough."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, f1_score, log_loss

from train.errors import BelowThreshold
from train.fit import Split


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores by name, and shape (classes, classes) of counts: a row a true class, a column a predicted one."""

    scores: dict[str, float]
    confusion: NDArray[np.int64]


def evaluate(estimator: Any, rows: Split) -> Evaluation:
    """Judge a fitted classifier by the held-back rows."""
    predicted = estimator.predict(rows.X_held)
    scores = {
        "accuracy": accuracy_score(rows.y_held, predicted),
        "balanced_accuracy": balanced_accuracy_score(rows.y_held, predicted),
        "f1_macro": f1_score(rows.y_held, predicted, average="macro"),
    }
    if hasattr(estimator, "predict_proba"):
        # Negated, as scikit-learn's scorers do: of every score, more is better.
        scores["neg_log_loss"] = -log_loss(rows.y_held, estimator.predict_proba(rows.X_held), labels=estimator.classes_)
    counts = confusion_matrix(rows.y_held, predicted, labels=estimator.classes_)
    return Evaluation({name: float(score) for name, score in scores.items()}, counts)


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
