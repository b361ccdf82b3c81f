"""A model tried on rows that it has not seen: fold by fold, then on those that were held back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Any

import numpy as np
from sklearn.base import clone

from train.data_checks import Hazard
from train.evaluate import Evaluation, evaluate
from train.fit import Progress, cross_validate, fit
from train.plans import Plan

_FEWEST_HELD = 10
# What a model must be better than a guess, to be called so.
_BETTER = 0.01
SCORES = {"classification": "accuracy", "regression": "r2"}


@dataclass(frozen=True, slots=True)
class Trial:
    """
    A fitted model and how it did.

    Attributes:
        score: What the folds were scored by.
        folds: A score a fold.
        evaluation: What the held-back rows say.
    """

    estimator: Any
    score: str
    folds: Sequence[float]
    evaluation: Evaluation

    @property
    def cross_validated(self) -> dict[str, float]:
        """Mean and deviation of the folds, by the names that a manifest has for them."""
        return {f"cv_{self.score}_mean": fmean(self.folds), f"cv_{self.score}_std": pstdev(self.folds)}


def doubts(trial: Trial, plan: Plan) -> Iterator[Hazard]:
    """Why the model may be worth nothing: it was hardly judged, or does no better than a guess."""
    held = len(plan.rows.X_held)
    if held < _FEWEST_HELD:
        yield Hazard(f"{held} held-back rows judge the model, and a few rows say little", "find more rows")
    told = plan.rows.y
    guess = told.value_counts(normalize=True).max() if trial.score == "accuracy" else 0.0
    reached = fmean(trial.folds)
    if reached < guess + _BETTER:
        words = "always the commonest class" if trial.score == "accuracy" else "always the mean"
        yield Hazard(
            f"the model is no better than a guess: {words} reaches {guess:.3f}, and it {reached:.3f}",
            "is what is to be predicted in these columns at all?",
        )


def run(plan: Plan, *, progress: Progress) -> Trial:
    """
    Cross-validate, fit and judge.

    Raises:
        TooFewRows: The plan has more folds than its rows allow.
    """
    rows = plan.rows
    # A fold may hold nothing of a column; what is then divided by nothing does no harm.
    with np.errstate(divide="ignore", invalid="ignore"):
        folds = cross_validate(plan.estimator, rows, folds=plan.folds, progress=progress)
        estimator = fit(clone(plan.estimator), rows)
    return Trial(estimator, SCORES[rows.task], folds, evaluate(estimator, rows.task, rows.X_held, rows.y_held))
