"""The explanation of a score, with what guessing would reach."""

import numpy as np
import pytest

from train.card.meanings import meaning, wilson
from train.evaluate import Evaluation

SCORES = {"accuracy": 0.9, "balanced_accuracy": 0.9, "neg_log_loss": -0.25, "f1_macro": 0.9, "r2": 0.5}
EVALUATION = Evaluation(20, SCORES, np.array([[14, 1], [1, 4]]))


@pytest.mark.parametrize(
    ("score", "value", "said"),
    [
        ("accuracy", 0.9, "predicted correctly: 90.0%. Always predicting the most frequent class would reach 0.750."),
        ("accuracy", 0.9, "With 20 rows, the 95 % confidence interval is 0.699 to 0.972."),
        ("balanced_accuracy", 0.9, "Guessing reaches 0.500."),
        ("f1_macro", 0.9, "harmonic mean"),
        ("neg_log_loss", -0.25, "probabilities is 77.9%. Giving every class the same probability would reach -0.693."),
        ("r2", 0.5, "always predicting the mean reaches 0"),
        ("neg_mean_absolute_error", -46.12, "the mean absolute error is 46.12"),
        ("neg_root_mean_squared_error", -58.56, "the root mean squared error is 58.56"),
        ("cv_accuracy_mean", 0.9, "The mean accuracy of the folds"),
        ("cv_r2_std", 0.1, "The standard deviation of r2 over the folds"),
        ("profit", 7.0, "Passed by the publisher of the model."),
    ],
)
def test_a_score_is_explained(score: str, value: float, said: str) -> None:
    """Each of our own scores has its own explanation; others are described as passed by the publisher."""
    assert said in meaning(score, value, EVALUATION)


@pytest.mark.parametrize("evaluation", [None, Evaluation(20, {"accuracy": 0.8}, np.array([[1]]))])
def test_a_score_of_other_rows_is_not_compared(evaluation: Evaluation | None) -> None:
    """Scores that were not measured on the held-back rows are not compared with chance."""
    assert meaning("accuracy", 0.9, evaluation) == "The share of rows that are predicted correctly: 90.0%."


@pytest.mark.parametrize(
    ("share", "rows", "interval"),
    [(0.0, 10, (0.0, 0.2775)), (1.0, 10, (0.7225, 1.0)), (81 / 263, 263, (0.2553, 0.3662)), (1.0, 1, (0.2065, 1.0))],
)
def test_the_interval_is_that_of_wilson(share: float, rows: int, interval: tuple[float, float]) -> None:
    """As Newcombe (1998), "Two-sided confidence intervals for the single proportion", tabulates 81 of 263."""
    assert wilson(share, rows) == pytest.approx(interval, abs=1e-4)
