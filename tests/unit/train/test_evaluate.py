"""Scores of rows that a model has not seen, and the bar that it must clear."""

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import LinearSVC

from train.errors import BelowThreshold
from train.evaluate import check_thresholds, evaluate

X = pd.DataFrame({"length": [1.0, 2.0, 8.0, 9.0]})
Y = pd.Series(["short", "short", "long", "long"])


def test_a_perfect_model_scores_one() -> None:
    """All of accuracy, balanced accuracy and F1 are 1, and the confusion is a diagonal."""
    seen = evaluate(LogisticRegression().fit(X, Y), "classification", X, Y)

    assert seen.rows == 4
    assert [seen.scores[name] for name in ("accuracy", "balanced_accuracy", "f1_macro")] == [1.0, 1.0, 1.0]
    assert -0.2 < seen.scores["neg_log_loss"] < 0
    assert seen.confusion is not None
    assert seen.confusion.tolist() == [[2, 0], [0, 2]]


def test_scores_are_those_of_the_given_rows() -> None:
    """Only the passed rows are scored; lists and arrays are accepted."""
    held = ["long", "short", "short", "short"]

    seen = evaluate(
        DummyClassifier(strategy="constant", constant="long").fit(X, Y), "classification", X.to_numpy(), held
    )

    assert seen.scores["accuracy"] == 0.25
    assert seen.scores["balanced_accuracy"] == 0.5
    assert seen.confusion is not None
    assert seen.confusion.tolist() == [[1, 0], [3, 0]]


def test_a_model_without_probabilities_has_no_log_loss() -> None:
    """Scores that need probabilities are left out without them."""
    seen = evaluate(LinearSVC().fit(X, Y), "classification", X, Y)

    assert seen.scores.keys() == {"accuracy", "balanced_accuracy", "f1_macro"}


def test_a_class_without_held_back_rows_is_in_the_confusion() -> None:
    """The confusion has a row and a column for every class of the model, in its order."""
    three = pd.Series(["long", "middle", "short", "short"])

    seen = evaluate(
        LogisticRegression().fit(X, three), "classification", X.iloc[1:], pd.Series(["middle", "short", "short"])
    )

    assert seen.confusion is not None
    assert seen.confusion.sum(axis=1).tolist() == [0, 1, 2]
    assert seen.confusion.shape == (3, 3)
    assert np.isfinite(seen.scores["neg_log_loss"])


def test_a_perfect_regressor_makes_no_error() -> None:
    """R² is 1 and the errors are 0, negated as every score is the better for being more; there is no confusion."""
    amounts = X["length"] * 3 + 1

    seen = evaluate(LinearRegression().fit(X, amounts), "regression", X, amounts)

    assert seen.scores == pytest.approx({"r2": 1, "neg_mean_absolute_error": 0, "neg_root_mean_squared_error": 0})
    assert (seen.rows, seen.confusion) == (4, None)


def test_errors_are_in_the_unit_of_the_target() -> None:
    """For 0, 0, 0, 4 the mean is off by 1, 1, 1 and 3; shape (rows, 1) is scored like shape (rows,)."""
    amounts = np.array([[0.0], [0.0], [0.0], [4.0]])

    seen = evaluate(DummyRegressor().fit(X, amounts), "regression", X, amounts)

    assert seen.scores == pytest.approx(
        {"r2": 0, "neg_mean_absolute_error": -1.5, "neg_root_mean_squared_error": -math.sqrt(3)}
    )


@pytest.mark.parametrize("reached", [0.9, 0.95, 1.0])
def test_a_score_at_its_threshold_is_enough(reached: float) -> None:
    """The threshold is the least value that is published; other scores do not matter."""
    thresholds = {"accuracy": 0.9}

    check_thresholds(thresholds, {"accuracy": reached, "f1_macro": 0.0})

    assert reached >= thresholds["accuracy"]


@pytest.mark.parametrize("reached", [0.8999, 0.0, math.nan])
def test_a_score_below_its_threshold_is_refused(reached: float) -> None:
    """The error has the score, its value and the threshold; NaN never passes."""
    with pytest.raises(
        BelowThreshold, match=r"accuracy on held-back rows is .*, below the recipe's threshold of 0\.9"
    ) as refused:
        check_thresholds({"f1_macro": 0.5, "accuracy": 0.9}, {"accuracy": reached, "f1_macro": 1.0})

    assert (refused.value.score, refused.value.threshold) == ("accuracy", 0.9)
    assert refused.value.reached == pytest.approx(reached, nan_ok=True)
