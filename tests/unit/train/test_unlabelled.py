"""Rows that taught nothing: what they hold is accepted where the estimator predicts it."""

import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from tests.support.published import model_of
from train.errors import NotPublishable
from train.unlabelled import widened

X = pd.DataFrame({"count": [1, 2, 3, 4] * 5, "town": ["Ulm", "Bonn"] * 10, "open": [True, False] * 10})
Y = pd.Series(["a", "b"] * 10)
OTHERS = pd.DataFrame({"count": [None, 5.0], "town": ["Oslo", None], "open": [True, None]})
TAKES_ALL = make_pipeline(
    make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")), ["town"]),
        (SimpleImputer(), ["count"]),
    ),
    LogisticRegression(),
)
TAKES_NOTHING = make_pipeline(
    make_column_transformer((OneHotEncoder(), ["town"]), remainder="passthrough"), LogisticRegression()
)


def test_what_the_estimator_predicts_is_accepted() -> None:
    """A null makes a float of an integer, and a category is one that no row taught; ranges stay."""
    model, rows = model_of(TAKES_ALL.fit(X, Y), X)

    count, town, _ = widened(model, rows, OTHERS).signature.columns

    assert (count.kind, count.dtype, count.nullable, count.maximum) == ("float", "float64", True, 4)
    assert [(category.value, category.count) for category in town.categories] == [
        ("Bonn", 10),
        ("Ulm", 10),
        ("Oslo", 0),
    ]
    assert town.nullable


def test_what_the_estimator_refuses_is_not_accepted() -> None:
    """The columns stay what training saw."""
    model, rows = model_of(TAKES_NOTHING.fit(X, Y), X)

    assert widened(model, rows, OTHERS).signature == model.signature


def test_rows_that_hold_nothing_new_change_nothing() -> None:
    """Nothing is predicted for them."""
    model, rows = model_of(TAKES_ALL.fit(X, Y), X)

    assert widened(model, rows, X.head(2)) is model


def test_other_columns_are_refused() -> None:
    """They are rows like those of X."""
    model, rows = model_of(TAKES_ALL.fit(X, Y), X)

    with pytest.raises(NotPublishable, match="unlabelled has no column 'town'"):
        widened(model, rows, OTHERS[["count"]])
