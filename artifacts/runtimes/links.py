"""From the raw scores of a model to its classes and probabilities, as scikit-learn's estimators decide."""

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from artifacts.answers import Told

Scores: TypeAlias = NDArray[Any]
Link: TypeAlias = Literal["number", "exponential", "shares", "logistic", "one-vs-rest", "softmax", "decision"]
"""
What the scores are: the number itself or its logarithm; shares of votes, which are probabilities; log-odds of the
second class, of each class, or of all together; or scores that only decide.
"""


def told_by(scores: Scores, link: Link, *, probabilities: bool, ties: int = 0) -> Told:
    """
    Decide, and say how sure it is.

    Args:
        scores: Shape (rows, classes); (rows, 1) for the score of the second of two, and for a number.
        link: What the scores are.
        probabilities: Whether they are asked for.
        ties: Which of two classes a score of exactly zero means.
    """
    if link == "number":
        return Told(scores[:, 0].astype(np.float64))
    if link == "exponential":
        return Told(np.exp(scores[:, 0]))
    if scores.shape[1] == 1:
        decided = scores[:, 0] >= 0 if ties else scores[:, 0] > 0
        return Told(decided.astype(np.intp), _of_two(scores[:, 0]) if probabilities and link != "decision" else None)
    return Told(scores.argmax(axis=1), _of_many(scores, link) if probabilities and link != "decision" else None)


def _of_two(odds: Scores) -> NDArray[np.float64]:
    second = 1 / (1 + np.exp(-odds))
    return np.stack([1 - second, second], axis=1)


def _of_many(scores: Scores, link: Link) -> NDArray[np.float64]:
    if link == "shares":
        return scores.astype(np.float64, copy=False)
    if link == "softmax":
        powers = scores - scores.max(axis=1, keepdims=True)
        np.exp(powers, out=powers)
        powers /= powers.sum(axis=1, keepdims=True)
        return np.asarray(powers)
    each = 1 / (1 + np.exp(-scores))
    total = each.sum(axis=1, keepdims=True)
    # Each may be zero; then none is likelier than another.
    each[total[:, 0] == 0] = 1
    total[total == 0] = scores.shape[1]
    return np.asarray(each / total)
