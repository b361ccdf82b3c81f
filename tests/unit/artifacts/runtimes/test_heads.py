"""The heads of programs compute what estimators compute."""

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier, VotingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression

from artifacts.runtimes.heads import Forest, Linear, Vote
from artifacts.runtimes.steps import Take

X, Y = load_iris(return_X_y=True)


def test_a_linear_model_decides_by_its_scores() -> None:
    """Classes and probabilities are those of the logistic regression."""
    model = LogisticRegression(max_iter=1000).fit(X, Y)
    head = Linear(link="softmax", ties=0, coefficients=model.coef_, intercept=model.intercept_)

    predictions = head(X, probabilities=True)

    assert head.has_probabilities
    np.testing.assert_array_equal(predictions.values, model.predict(X))
    assert predictions.probabilities is not None
    np.testing.assert_allclose(predictions.probabilities, model.predict_proba(X), atol=1e-12)


def test_a_linear_model_refuses_infinities() -> None:
    """An infinite value is a ValueError, as in scikit-learn."""
    head = Linear(link="number", ties=0, coefficients=np.ones(2), intercept=np.zeros(1))

    assert not head.has_probabilities
    assert head(np.array([[1.0, 2.0]]), probabilities=False).values.tolist() == [3.0]
    with pytest.raises(ValueError, match="infinite"):
        head(np.array([[1.0, np.inf]]), probabilities=False)


def _forest(trees: Any, **fields: Any) -> Forest:
    states = [tree.tree_.__getstate__() for tree in trees]
    default = {
        "link": "shares",
        "ties": 0,
        "columns": X.shape[1],
        "outputs": 3,
        "sizes": np.array([state["node_count"] for state in states]),
        "depths": np.array([state["max_depth"] for state in states]),
        "nodes": np.concatenate([state["nodes"] for state in states]),
        "values": np.concatenate([state["values"] for state in states]),
        "start": np.zeros(3),
        "rate": 1.0,
        "is_mean": True,
        "takes_nulls": False,
    }
    return Forest(**{**default, **fields})


def test_a_forest_is_the_mean_of_its_trees() -> None:
    """Trees that are rebuilt from their arrays predict the same shares."""
    model = RandomForestClassifier(3, random_state=0).fit(X, Y)

    predictions = _forest(model.estimators_)(X, probabilities=True)

    assert predictions.probabilities is not None
    np.testing.assert_array_equal(predictions.probabilities, model.predict_proba(X))


def test_boosted_trees_are_added() -> None:
    """Each tree adds its rate to the score that the model starts with."""
    model = GradientBoostingRegressor(n_estimators=3, random_state=0).fit(X, X[:, 0])
    fields = {"link": "number", "outputs": 1, "rate": model.learning_rate, "is_mean": False}

    head = _forest(model.estimators_[:, 0], start=np.ravel(model.init_.constant_), **fields)

    np.testing.assert_array_equal(head(X, probabilities=False).values, model.predict(X))


def test_a_soft_vote_averages_probabilities() -> None:
    """The class with the greatest average is the prediction."""
    model = RandomForestClassifier(3, random_state=0).fit(X, Y)
    step = Take((0, 1, 2, 3))
    vote = Vote(steps=(step,) * 2, heads=(_forest(model.estimators_),) * 2, weights=np.array(()), is_soft=True)

    predictions = vote(X, probabilities=True)

    assert vote.has_probabilities
    assert predictions.probabilities is not None
    np.testing.assert_allclose(predictions.probabilities, model.predict_proba(X))
    np.testing.assert_array_equal(predictions.values, model.predict(X))


@pytest.mark.parametrize("value", [1e300, np.nan])
def test_a_forest_refuses_values_that_are_not_single_precision(value: float) -> None:
    """An overflow of float32 is an error, and a null unless the trees accept nulls, as in scikit-learn."""
    model = RandomForestClassifier(1, random_state=0).fit(X, Y)
    rows = X[:1].copy()
    rows[0, 0] = value

    with np.errstate(all="ignore"), pytest.raises(ValueError, match="single precision"):
        _forest(model.estimators_)(rows, probabilities=False)


@pytest.mark.parametrize("weights", [None, [1.0, 3.0]])
def test_a_vote_is_the_average_of_its_models(weights: list[float] | None) -> None:
    """Numbers are averaged with the weights of the vote."""
    models = [("a", LinearRegression()), ("b", LinearRegression(fit_intercept=False))]
    model = VotingRegressor(models, weights=weights).fit(X, X[:, 0] * 2 + 1)
    heads = [
        Linear(link="number", ties=0, coefficients=part.coef_, intercept=np.atleast_1d(part.intercept_))
        for part in model.estimators_
    ]
    step = Take((0, 1, 2, 3))
    vote = Vote(steps=(step, step), heads=tuple(heads), weights=np.array(weights or ()), is_soft=False)

    assert not vote.has_probabilities
    np.testing.assert_allclose(vote(X, probabilities=False).values, model.predict(X))
