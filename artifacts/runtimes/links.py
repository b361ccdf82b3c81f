"""Turn the raw scores of a model into classes and probabilities, as scikit-learn's estimators do."""

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from artifacts.predictions import Predictions

# From so many numbers on, numpy does not add them one after the other.
_UNROLLED = 8

Scores: TypeAlias = NDArray[Any]
Link: TypeAlias = Literal["number", "exponential", "shares", "logistic", "one-vs-rest", "softmax", "decision"]
"""
What the scores are: the number itself or its logarithm; shares of votes, which are probabilities; log-odds of the
second class, of each class, or of all together; or scores that give no probabilities.
"""


def decide(scores: Scores, link: Link, *, probabilities: bool, ties: int = 0) -> Predictions:
    """
    Return the classes or numbers that scores mean, and the probabilities.

    Args:
        scores: Shape (rows, classes); (rows, 1) for the score of the second of two, and for a number.
        link: What the scores are.
        probabilities: Whether they are requested.
        ties: Which of two classes a score of exactly zero means.
    """
    if link == "number":
        return Predictions(scores[:, 0].astype(np.float64))
    if link == "exponential":
        return Predictions(np.exp(scores[:, 0]))
    if scores.shape[1] == 1:
        decided = scores[:, 0] >= 0 if ties else scores[:, 0] > 0
        return Predictions(
            decided.astype(np.intp), _of_two(scores[:, 0]) if probabilities and link != "decision" else None
        )
    return Predictions(scores.argmax(axis=1), _of_many(scores, link) if probabilities and link != "decision" else None)


def _over_classes(join: np.ufunc, scores: Scores) -> Scores:
    """
    Return the maximum or the sum of each row; shape (rows, 1).

    Few classes are joined column by column: the same order and so the same bits, and ten times as fast.
    """
    if scores.shape[1] >= _UNROLLED:
        return np.asarray(join.reduce(scores, axis=1, keepdims=True))
    total = scores[:, :1]
    for place in range(1, scores.shape[1]):
        total = join(total, scores[:, place : place + 1])
    return total


def _of_two(odds: Scores) -> NDArray[np.float64]:
    second = 1 / (1 + np.exp(-odds))
    return np.stack([1 - second, second], axis=1)


def _of_many(scores: Scores, link: Link) -> NDArray[np.float64]:
    if link == "shares":
        return scores.astype(np.float64, copy=False)
    if link == "softmax":
        powers = scores - _over_classes(np.maximum, scores)
        np.exp(powers, out=powers)
        powers /= _over_classes(np.add, powers)
        return np.asarray(powers)
    each = 1 / (1 + np.exp(-scores))
    total = each.sum(axis=1, keepdims=True)
    # If all are zero, all classes are equally likely.
    each[total[:, 0] == 0] = 1
    total[total == 0] = scores.shape[1]
    return np.asarray(each / total)
