"""Run an experiment: cross-validate, fit, and evaluate on the rows that were held back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Any

import numpy as np
from sklearn.base import clone

from train.data_checks import DataWarning
from train.evaluate import Evaluation, evaluate
from train.experiments import Experiment
from train.fit import Progress, cross_validate, fit

_FEWEST_HELD = 10
# How much better than a guess a model must be.
_BETTER = 0.01
SCORES = {"classification": "accuracy", "regression": "r2"}


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """
    A fitted model and its scores.

    Attributes:
        score: The name of the score of the folds.
        folds: The score of each fold.
        evaluation: The scores on the held-back rows.
    """

    estimator: Any
    score: str
    folds: Sequence[float]
    evaluation: Evaluation

    @property
    def cross_validated(self) -> dict[str, float]:
        """Mean and standard deviation of the folds, by the names that a manifest has for them."""
        return {f"cv_{self.score}_mean": fmean(self.folds), f"cv_{self.score}_std": pstdev(self.folds)}


def run(experiment: Experiment, *, progress: Progress) -> TrainingResult:
    """
    Cross-validate, fit and evaluate.

    Raises:
        TooFewRows: There are more folds than the rows allow.
    """
    rows = experiment.rows
    # In a fold a column may have no value at all; dividing by zero does no harm then.
    with np.errstate(divide="ignore", invalid="ignore"):
        folds = cross_validate(experiment.estimator, rows, folds=experiment.folds, progress=progress)
        estimator = fit(clone(experiment.estimator), rows)
    evaluation = evaluate(estimator, rows.task, rows.X_held, rows.y_held)
    return TrainingResult(estimator, SCORES[rows.task], folds, evaluation)


def warnings_about(result: TrainingResult, experiment: Experiment) -> Iterator[DataWarning]:
    """Yield a warning if few rows were held back, and one if the model is no better than a guess."""
    held = len(experiment.rows.X_held)
    if held < _FEWEST_HELD:
        yield DataWarning(f"the scores are those of {held} held-back rows, too few to say much", "find more rows")
    is_accuracy = result.score == "accuracy"
    guess = experiment.rows.y.value_counts(normalize=True).max() if is_accuracy else 0.0
    reached = fmean(result.folds)
    if reached < guess + _BETTER:
        constant = "the most frequent class" if is_accuracy else "the mean"
        yield DataWarning(
            f"the model is no better than a guess: always predicting {constant} reaches {guess:.3f}, and the model "
            f"reaches {reached:.3f}",
            "can the target be predicted from these columns at all?",
        )
