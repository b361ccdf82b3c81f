"""What each score means, in plain words, and what it would take to reach it without having learned anything."""

from collections.abc import Callable, Mapping
from math import log, sqrt

import numpy as np

from artifacts.description import name, number
from train.evaluate import Evaluation

_FOLDED = "cv_"


def meaning(score: str, value: float, evaluation: Evaluation | None) -> str:
    """
    One or two sentences on a score.

    Args:
        score: Its name; those that `evaluate` gives are known, and those of a cross-validation.
        value: What was reached.
        evaluation: What the held-back rows say, if there were any.
    """
    if score.startswith(_FOLDED) and score.endswith("_mean"):
        return f"The mean {name(score[3:-5])} of the folds when the training rows were cross-validated."
    if score.startswith(_FOLDED) and score.endswith("_std"):
        return f"How far {name(score[3:-4])} differed from fold to fold: its standard deviation."
    known = _MEANINGS.get(score)
    if known is None:
        return "Given by whoever published the model."
    own = evaluation is not None and evaluation.scores.get(score) == value
    return " ".join(filter(None, (known(value), _reference(score, value, evaluation) if own and evaluation else "")))


def _reference(score: str, value: float, evaluation: Evaluation) -> str:
    """What chance reaches on the same rows, and how far chance may have moved the score."""
    if evaluation.confusion is None:
        return ""
    rows, classes = evaluation.rows, len(evaluation.confusion)
    if score == "accuracy":
        low, high = wilson(value, rows)
        most = evaluation.confusion.sum(axis=1).max() / rows
        return (
            f"Always answering the most frequent class would reach {most:.3f}. With {rows:,} rows, what it reaches in "
            f"the long run may well be anything from {low:.3f} to {high:.3f}."
        )
    if score == "balanced_accuracy":
        return f"Guessing reaches {1 / classes:.3f}."
    if score == "neg_log_loss":
        return f"Giving every class the same probability would reach {-log(classes):.3f}."
    return ""


def wilson(share: float, rows: int) -> tuple[float, float]:
    """
    Between what a share of so many rows may lie in the long run: its 95 % interval.

    Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference",
    Journal of the American Statistical Association 22.
    """
    z = 1.959964
    centre = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z / (1 + z**2 / rows) * sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2))
    return max(0.0, centre - half), min(1.0, centre + half)


_MEANINGS: Mapping[str, Callable[[float], str]] = {
    "accuracy": lambda value: f"The share of rows that are answered right: {value:.1%}.",
    "balanced_accuracy": lambda _: (
        "The share of each class that is found, then the mean of these: a rare class counts as much as a common one."
    ),
    "f1_macro": lambda _: (
        "For each class the harmonic mean of how much of it is found and how much of what is taken for it is right, "
        "then the mean of these. 1 is best."
    ),
    "neg_log_loss": lambda value: (
        "How much probability it gives to what is true. 0 is best, and a mistake it was sure of costs most; on the "
        f"geometric mean it gives {np.exp(value):.1%}."
    ),
    "r2": lambda _: (
        "The part of the target's variance that it explains. 1 is best, always answering the mean reaches 0, and "
        "answers can be worse than that."
    ),
    "neg_mean_absolute_error": lambda value: f"Negated: an answer is off by {number(-value)} on average.",
    "neg_root_mean_squared_error": lambda value: (
        f"Negated: off by {number(-value)} where large errors weigh more than small ones."
    ),
}
