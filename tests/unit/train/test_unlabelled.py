"""Rows without a usable target: their values are accepted where the estimator predicts them."""

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


def test_values_that_the_estimator_predicts_are_accepted() -> None:
    """A null turns an integer column into floats, and an unseen category is added; ranges stay."""
    model, rows = model_of(TAKES_ALL.fit(X, Y), X)

    count, town, _ = widened(model, rows, OTHERS).signature.columns

    assert (count.kind, count.dtype, count.nullable, count.maximum) == ("float", "float64", True, 4)
    assert [(category.value, category.count) for category in town.categories] == [
        ("Bonn", 10),
        ("Ulm", 10),
        ("Oslo", 0),
    ]
    assert town.nullable


def test_values_that_the_estimator_refuses_are_not_accepted() -> None:
    """The columns stay as training saw them."""
    model, rows = model_of(TAKES_NOTHING.fit(X, Y), X)

    assert widened(model, rows, OTHERS).signature == model.signature


def test_rows_without_new_values_change_nothing() -> None:
    """The model is returned unchanged, without a prediction."""
    model, rows = model_of(TAKES_ALL.fit(X, Y), X)

    assert widened(model, rows, X.head(2)) is model


def test_other_columns_are_refused() -> None:
    """The rows must have the columns of X."""
    model, rows = model_of(TAKES_ALL.fit(X, Y), X)

    with pytest.raises(NotPublishable, match="unlabelled has no column 'town'"):
        widened(model, rows, OTHERS[["count"]])
