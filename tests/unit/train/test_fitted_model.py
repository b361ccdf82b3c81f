"""A fitted estimator is called as a server would call it."""

import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from tests.support.published import WEIGHT, X, Y, model_of
from train.errors import NotPublishable


def test_a_fault_names_its_row() -> None:
    """A training value that no caller could send is reported with its column and its row."""
    model, _ = model_of(LinearRegression().fit(X, WEIGHT), X)

    with pytest.raises(NotPublishable, match="column 'width', row 1 of training: expected a number"):
        model.predict([[0.5, 1.5], [0.5, "x"]])


def test_predictions_are_labels_with_probabilities() -> None:
    """A classifier predicts one label and one probability per class for each row; a regressor only numbers."""
    classifier, rows = model_of(LogisticRegression().fit(X, Y), X)
    regressor, _ = model_of(LinearRegression().fit(X, WEIGHT), X)

    predictions = classifier.predict(rows.values())

    assert predictions.labels.tolist() == classifier.estimator.predict(X).tolist()
    assert predictions.probabilities is not None
    assert regressor.predict(rows.values()).probabilities is None
