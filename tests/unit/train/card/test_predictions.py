"""A sample of the held-back rows with the model's predictions."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from tests.support.cards import numbers
from tests.support.published import model_of
from train.card import predictions
from train.card.predictions import HeldBackPredictions, choose
from train.held_back import HeldBack

X = pd.DataFrame(numbers(40), columns=["a", "b", "c"])
KINDS = np.where(X["a"] > 0, "positive", "a name of more than twenty-four characters")


def test_a_classifier_has_probabilities_and_names() -> None:
    """Predictions and probabilities are those of the estimator; long labels are cut."""
    estimator = LogisticRegression().fit(X, KINDS)
    model, rows = model_of(estimator, X)

    held = HeldBackPredictions.of(model, HeldBack(rows, KINDS))

    assert held.predicted.tolist() == estimator.predict(X).tolist()
    assert held.probabilities is not None
    assert held.probabilities.tolist() == estimator.predict_proba(X).tolist()
    assert held.names[1] == "positive"
    assert len(held.names[0]) <= 25


def test_a_regressor_has_neither() -> None:
    """A regressor has numbers without probabilities and names."""
    model, rows = model_of(LinearRegression().fit(X, X["a"]), X)

    held = HeldBackPredictions.of(model, HeldBack(rows, X["a"].to_numpy()))

    assert (held.probabilities, held.names) == (None, ())
    assert held.predicted == pytest.approx(X["a"].to_numpy())


def test_many_rows_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Predictions and true values are of the same chosen rows, and all rows are counted."""
    monkeypatch.setattr(predictions, "MOST", 10)
    model, rows = model_of(LinearRegression().fit(X, X["a"]), X)

    held = HeldBackPredictions.of(model, HeldBack(rows, X["a"].to_numpy()))

    assert (len(held.true), len(held.rows.frame), held.total) == (10, 10, 40)
    assert held.predicted == pytest.approx(held.true)
    assert held.counted() == "10 of 40 held-back rows, drawn at random"


@pytest.mark.parametrize(
    ("rows", "shown", "expected"),
    [
        (1, None, "1 held-back row"),
        (40, None, "40 held-back rows"),
        (40, 5, "5 of 40 held-back rows, drawn at random"),
    ],
)
def test_the_number_of_rows_is_printed(rows: int, shown: int | None, expected: str) -> None:
    """The text has the number of rows, and of those that are shown if they are fewer."""
    model, all_rows = model_of(LinearRegression().fit(X, X["a"]), X)
    held_back = HeldBack(all_rows.take(np.arange(rows)), X["a"].to_numpy()[:rows])

    assert HeldBackPredictions.of(model, held_back).counted(shown) == expected


def test_rows_are_chosen_once_and_in_order() -> None:
    """Few rows are all chosen; of many, distinct ones, ascending, and always the same."""
    assert choose(3, 5).tolist() == [0, 1, 2]
    chosen = choose(1_000, 50)
    assert len(set(chosen.tolist())) == 50
    assert chosen.tolist() == sorted(chosen.tolist()) == choose(1_000, 50).tolist()
