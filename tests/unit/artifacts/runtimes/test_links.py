"""Scores become the classes and probabilities that scikit-learn's estimators return."""

from typing import Any

import numpy as np
import pytest
from scipy.special import expit, softmax  # type: ignore[import-untyped]  # scipy has no types

from artifacts.runtimes.links import decide

THREE = np.array([[0.5, 2.0, -1.0], [3.0, 3.0, 0.0]])
MANY = np.random.default_rng(1).normal(size=(4, 9))


def test_a_number_is_the_score() -> None:
    """A regressor's score is its prediction; the exponential link returns its exponential."""
    scores = np.array([[0.0], [1.0]])

    assert decide(scores, "number", probabilities=False).values.tolist() == [0.0, 1.0]
    assert decide(scores, "exponential", probabilities=False).values.tolist() == [1.0, np.exp(1.0)]


@pytest.mark.parametrize(("ties", "expected"), [(0, [0, 0, 1]), (1, [0, 1, 1])])
def test_a_score_of_zero_is_the_class_of_ties(ties: int, expected: list[int]) -> None:
    """One score decides between two classes; its logistic function is the probability of the second one."""
    predictions: Any = decide(np.array([[-1.0], [0.0], [2.0]]), "logistic", probabilities=True, ties=ties)

    assert predictions.values.tolist() == expected
    np.testing.assert_allclose(predictions.probabilities, np.stack([expit([1, 0, -2]), expit([-1, 0, 2])], axis=1))


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("shares", THREE),
        ("softmax", softmax(THREE, axis=1)),
        ("one-vs-rest", expit(THREE) / expit(THREE).sum(axis=1, keepdims=True)),
    ],
)
def test_of_several_classes_the_greatest_score_decides(link: Any, expected: Any) -> None:
    """The first of equal scores wins, and the probabilities are those of the link."""
    predictions: Any = decide(THREE, link, probabilities=True)

    assert predictions.values.tolist() == [1, 0]
    np.testing.assert_allclose(predictions.probabilities, expected)


def test_softmax_of_many_classes() -> None:
    """The probabilities of many classes equal those of scipy's softmax."""
    predictions: Any = decide(MANY, "softmax", probabilities=True)

    np.testing.assert_allclose(predictions.probabilities, softmax(MANY, axis=1))


def test_classes_without_any_score_are_equally_likely() -> None:
    """If the logistic function of every score is zero, each class has the same probability."""
    scores = np.full((1, 4), -1000.0)

    with np.errstate(over="ignore"):
        predictions: Any = decide(scores, "one-vs-rest", probabilities=True)

    assert predictions.probabilities.tolist() == [[0.25] * 4]


@pytest.mark.parametrize("scores", [THREE, THREE[:, :1]], ids=["three", "two"])
@pytest.mark.parametrize(("link", "probabilities"), [("decision", True), ("softmax", False)])
def test_probabilities_are_computed_only_if_there_are_any(scores: Any, link: Any, probabilities: bool) -> None:
    """A link that only decides returns no probabilities; other links return them only on request."""
    assert decide(scores, link, probabilities=probabilities).probabilities is None
