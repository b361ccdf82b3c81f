"""What each score means, and what guessing would reach."""

from collections.abc import Callable, Mapping
from math import log, sqrt

import numpy as np

from artifacts.description import name, number
from train.evaluate import Evaluation

_FOLDED = "cv_"


def meaning(score: str, value: float, evaluation: Evaluation | None) -> str:
    """
    Return one or two sentences on a score.

    Args:
        score: Its name; those of `evaluate` and of a cross-validation are known.
        value: Its value.
        evaluation: The scores on held-back rows, if there were any.
    """
    if score.startswith(_FOLDED) and score.endswith("_mean"):
        return f"The mean {name(score[3:-5])} of the folds of a cross-validation on the training rows."
    if score.startswith(_FOLDED) and score.endswith("_std"):
        return f"The standard deviation of {name(score[3:-4])} over the folds."
    known = _MEANINGS.get(score)
    if known is None:
        return "Passed by the publisher of the model."
    own = evaluation is not None and evaluation.scores.get(score) == value
    return " ".join(filter(None, (known(value), _reference(score, value, evaluation) if own and evaluation else "")))


def _reference(score: str, value: float, evaluation: Evaluation) -> str:
    """Return what guessing reaches on the same rows, and the confidence interval of an accuracy."""
    if evaluation.confusion is None:
        return ""
    rows, classes = evaluation.rows, len(evaluation.confusion)
    if score == "accuracy":
        low, high = wilson(value, rows)
        most = evaluation.confusion.sum(axis=1).max() / rows
        return (
            f"Always predicting the most frequent class would reach {most:.3f}. With {rows:,} rows, the 95 % "
            f"confidence interval is {low:.3f} to {high:.3f}."
        )
    if score == "balanced_accuracy":
        return f"Guessing reaches {1 / classes:.3f}."
    if score == "neg_log_loss":
        return f"Giving every class the same probability would reach {-log(classes):.3f}."
    return ""


def wilson(share: float, rows: int) -> tuple[float, float]:
    """
    Return the 95 % confidence interval of a share of so many rows.

    Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference",
    Journal of the American Statistical Association 22.
    """
    z = 1.959964
    centre = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z / (1 + z**2 / rows) * sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2))
    return max(0.0, centre - half), min(1.0, centre + half)


_MEANINGS: Mapping[str, Callable[[float], str]] = {
    "accuracy": lambda value: f"The share of rows that are predicted correctly: {value:.1%}.",
    "balanced_accuracy": lambda _: "The mean recall of the classes: a rare class weighs as much as a frequent one.",
    "f1_macro": lambda _: "The mean over the classes of F1, the harmonic mean of recall and precision. 1 is best.",
    "neg_log_loss": lambda value: (
        "The mean logarithm of the probability of the true class. 0 is best, and confident mistakes cost most; the "
        f"geometric mean of these probabilities is {np.exp(value):.1%}."
    ),
    "r2": lambda _: (
        "The share of the target's variance that the model explains. 1 is best, always predicting the mean reaches 0, "
        "and worse predictions are negative."
    ),
    "neg_mean_absolute_error": lambda value: f"Negated: the mean absolute error is {number(-value)}.",
    "neg_root_mean_squared_error": lambda value: (
        f"Negated: the root mean squared error is {number(-value)}; large errors weigh more than small ones."
    ),
}
