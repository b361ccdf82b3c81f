"""Scores of rows that a model has not seen, and the bar that it must clear."""

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from train.errors import BelowThreshold
from train.evaluate import demand, evaluate
from train.fit import Split

X = pd.DataFrame({"length": [1.0, 2.0, 8.0, 9.0]})
Y = pd.Series(["short", "short", "long", "long"])


def test_a_perfect_model_scores_one() -> None:
    """All of accuracy, balanced accuracy and F1 are 1, and the confusion is a diagonal."""
    seen = evaluate(LogisticRegression().fit(X, Y), Split(X, Y, X, Y))

    assert [seen.scores[name] for name in ("accuracy", "balanced_accuracy", "f1_macro")] == [1.0, 1.0, 1.0]
    assert -0.2 < seen.scores["neg_log_loss"] < 0
    assert seen.confusion.tolist() == [[2, 0], [0, 2]]


def test_only_the_held_rows_judge() -> None:
    """The rows that the model learnt from do not count: here it knows nothing of the others."""
    held = pd.Series(["long", "short", "short", "short"])

    seen = evaluate(DummyClassifier(strategy="constant", constant="long").fit(X, Y), Split(X, Y, X, held))

    assert seen.scores["accuracy"] == 0.25
    assert seen.scores["balanced_accuracy"] == 0.5
    assert seen.confusion.tolist() == [[1, 0], [3, 0]]


def test_a_model_without_probabilities_has_no_log_loss() -> None:
    """What needs probabilities is left out where there are none."""
    seen = evaluate(LinearSVC().fit(X, Y), Split(X, Y, X, Y))

    assert seen.scores.keys() == {"accuracy", "balanced_accuracy", "f1_macro"}


def test_a_class_that_is_not_held_back_still_has_its_line() -> None:
    """The confusion has a row and a column for every class of the model, in its order."""
    three = pd.Series(["long", "middle", "short", "short"])

    seen = evaluate(
        LogisticRegression().fit(X, three), Split(X, three, X.iloc[1:], pd.Series(["middle", "short", "short"]))
    )

    assert seen.confusion.sum(axis=1).tolist() == [0, 1, 2]
    assert seen.confusion.shape == (3, 3)
    assert np.isfinite(seen.scores["neg_log_loss"])


@pytest.mark.parametrize("reached", [0.9, 0.95, 1.0])
def test_a_score_at_its_threshold_is_enough(reached: float) -> None:
    """The threshold is the least value that is published; a score that nobody demands does not matter."""
    thresholds = {"accuracy": 0.9}

    demand(thresholds, {"accuracy": reached, "f1_macro": 0.0})

    assert reached >= thresholds["accuracy"]


@pytest.mark.parametrize("reached", [0.8999, 0.0, math.nan])
def test_a_score_below_its_threshold_is_refused(reached: float) -> None:
    """The error says which score, what it reached and what was demanded; a score that is no number never passes."""
    with pytest.raises(
        BelowThreshold, match=r"accuracy on held-back rows is .*, and the recipe demands 0\.9"
    ) as refused:
        demand({"f1_macro": 0.5, "accuracy": 0.9}, {"accuracy": reached, "f1_macro": 1.0})

    assert (refused.value.score, refused.value.demanded) == ("accuracy", 0.9)
    assert refused.value.reached == pytest.approx(reached, nan_ok=True)
