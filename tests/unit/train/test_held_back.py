"""Rows that were held back from fitting are brought into the form of the rows that the estimator was fitted on."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from tests.support.published import WEIGHT, X, Y
from train.errors import NotPublishable
from train.held_back import HeldBack
from train.rows import as_rows


def test_a_frame_becomes_an_array_for_an_estimator_of_arrays() -> None:
    """An estimator that was fitted on an array is evaluated without a warning about feature names."""
    fitted = as_rows(X.to_numpy(), list(X.columns))

    held_back = HeldBack.of((X[:10], Y[:10]), fitted)

    assert held_back.rows.container == "array"
    estimator = LogisticRegression().fit(X.to_numpy(), Y)
    assert held_back.evaluate(estimator, "classification").rows == 10


def test_an_array_gets_the_names_of_the_columns() -> None:
    """Columns without names are those of X, in their order."""
    assert list(HeldBack.of((X.to_numpy(), Y), as_rows(X)).rows.frame.columns) == list(X.columns)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((X, Y[:3]), "held_back has 60 rows of X and 3 of y"),
        ((X[["width", "length"]], Y), "held_back has other columns than X"),
    ],
)
def test_rows_that_do_not_fit_are_refused(given: tuple[Any, Any], message: str) -> None:
    """X and y must be equally long, and X must have the columns that the estimator was fitted on."""
    with pytest.raises(NotPublishable, match=message):
        HeldBack.of(given, as_rows(X))


def test_repeated_rows_are_recognised_in_any_container() -> None:
    """The training rows are recognised as a frame, with another index, or as an array; other rows are not."""
    fitted = as_rows(X)

    assert HeldBack.of((X.set_axis(range(7, 67)), Y), fitted).repeats(fitted)
    assert HeldBack.of((X.to_numpy(), Y), fitted).repeats(fitted)
    assert not HeldBack.of((X[:30], Y[:30]), fitted).repeats(fitted)
    assert not HeldBack.of((X + 1, Y), fitted).repeats(fitted)


def test_a_row_that_cannot_be_predicted_is_refused() -> None:
    """A null that the estimator does not accept is reported as one of held_back."""
    with_null = pd.concat([X[:5], pd.DataFrame({"length": [np.nan], "width": [0.0]})])

    held_back = HeldBack.of((with_null, WEIGHT[:6]), as_rows(X))

    with pytest.raises(NotPublishable, match="the model cannot predict a row of held_back: Input X contains NaN"):
        held_back.evaluate(LinearRegression().fit(X, WEIGHT), "regression")
