"""A sample of rows is cast to what an estimator was fitted on, or refused with the reason."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from train.csv_file import read_csv
from train.errors import ColumnMissing, NotPublishable
from train.sample import sample_of, scores
from train.tables import Table

X = pd.DataFrame({"sepal length": np.arange(20.0), "width": np.arange(20.0) ** 2})
Y = pd.Series(["short", "long"] * 10, name="kind")
NAMED = LogisticRegression(max_iter=10_000).fit(X, Y)
NAMELESS = LogisticRegression(max_iter=10_000).fit(X.to_numpy(), Y)


class Nameless(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A transformer that keeps nothing of what it was fitted on."""

    def fit(self, _X: Any, _y: Any = None) -> Any:
        self.is_fitted_ = True
        return self

    def transform(self, X: Any) -> Any:
        return np.asarray(X)


def table(**columns: Any) -> Table:
    """A sample as it was read."""
    with TemporaryDirectory() as folder:
        pd.DataFrame(columns).to_csv(Path(folder) / "rows.csv", index=False)
        return read_csv(Path(folder) / "rows.csv")


def test_columns_are_found_by_name() -> None:
    """In the order of the estimator, whatever else the file has; whole numbers are no integers for that."""
    sample = sample_of(NAMED, table(width=[1, 2], other=["x", "y"], **{"sepal length": [3, 4]}))

    assert isinstance(sample.data, pd.DataFrame)
    assert sample.data.to_dict("list") == {"sepal length": [3.0, 4.0], "width": [1.0, 2.0]}
    assert sample.data.dtypes.tolist() == [np.dtype(float)] * 2
    assert (sample.columns, sample.y) == (None, None)


def test_missing_columns_are_named() -> None:
    """All of them, with what the file has."""
    with pytest.raises(ColumnMissing, match=r"no column 'sepal length', 'width'; it has with\. Did you mean 'with'"):
        sample_of(NAMED, table(**{"with": [1]}))


def test_names_of_lightgbm_are_matched() -> None:
    """An underscore stands for a blank, and Column_0 for no name."""
    X_int = X.astype(int)
    named = LGBMClassifier(n_estimators=1, verbose=-1, n_jobs=1).fit(X, Y)
    nameless = LGBMClassifier(n_estimators=1, verbose=-1, n_jobs=1).fit(X.to_numpy(), Y)

    frame = sample_of(named, table(**X_int)).data
    array = sample_of(nameless, table(**X_int))

    assert isinstance(frame, pd.DataFrame)
    assert frame.equals(X)
    assert isinstance(array.data, np.ndarray)
    assert array.columns == ["sepal length", "width"]


def test_without_names_the_order_of_the_file_holds() -> None:
    """An array of floats, its columns called as in the file, the target apart."""
    sample = sample_of(NAMELESS, table(a=[1, 2], kind=["short", "long"], b=[True, False]), target="kind")

    assert isinstance(sample.data, np.ndarray)
    assert sample.data.tolist() == [[1.0, 1.0], [2.0, 0.0]]
    assert sample.columns == ["a", "b"]


def test_without_names_the_number_of_columns_must_match() -> None:
    """It is unknown which of them is too many."""
    with pytest.raises(NotPublishable, match=r"2 columns without names, and rows.csv has 3 \(a, b, c\)"):
        sample_of(NAMELESS, table(a=[1], b=[2], c=[3]))


def test_texts_without_names_stay_texts() -> None:
    """A model fitted on an array of texts gets one."""
    encoder = make_column_transformer((OneHotEncoder(), [0]), remainder="passthrough")
    model = make_pipeline(encoder, LogisticRegression()).fit(np.array([["a", 1], ["b", 2]], dtype=object), [0, 1])

    sample = sample_of(model, table(kind=["a", "b"], size=[1, 2]))

    assert isinstance(sample.data, np.ndarray)
    assert sample.data.tolist() == [["a", 1.0], ["b", 2.0]]


def test_a_vectorizer_gets_its_column() -> None:
    """The one column of texts as a series; several are ambiguous."""
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(["good", "bad"] * 5, [1, 0] * 5)

    sample = sample_of(model, table(review=["good one", "bad one"], stars=[5, 1], liked=[1, 0]), target="liked")

    assert isinstance(sample.data, pd.Series)
    assert sample.data.tolist() == ["good one", "bad one"]
    assert scores(model, sample)["sample_accuracy"] == 1
    with pytest.raises(NotPublishable, match="the sample has a, b: keep only one of them"):
        sample_of(model, table(a=["x", "y"], b=["x", "y"]))


def test_a_pipeline_without_names_may_take_numbers() -> None:
    """A custom first step keeps neither names nor the number of columns."""
    model = make_pipeline(Nameless(), LogisticRegression()).fit(X, Y)

    sample = sample_of(model, table(**{"sepal length": [3, 4]}, width=[1, 2]))

    assert isinstance(sample.data, pd.DataFrame)
    assert sample.data.to_dict("list") == {"sepal length": [3.0, 4.0], "width": [1.0, 2.0]}


@pytest.mark.parametrize(
    ("classes", "cells", "expected"),
    [
        (["0", "1"], [1, 0, 1], ["1", "0", "1"]),
        ([0, 1], [1.0, np.nan, 0.0], [1, 0]),
        ([False, True], np.array([True, np.nan, False], dtype=object), [True, False]),
    ],
    ids=["texts of digits", "whole numbers and a null", "booleans and a null"],
)
def test_the_target_is_cast_to_the_type_of_the_classes(classes: list[Any], cells: Any, expected: list[Any]) -> None:
    """Classes are compared in their own type; rows without a target are left out."""
    model = LogisticRegression().fit(X, classes * 10)

    sample = sample_of(model, table(**{"sepal length": [1, 2, 3]}, width=[1, 2, 3], kind=cells), target="kind")

    assert sample.y is not None
    assert sample.y.tolist() == expected
    assert len(sample.data) == len(expected)
    assert set(scores(model, sample)) >= {"sample_accuracy", "sample_neg_log_loss"}


@pytest.mark.parametrize(
    ("model", "cells", "reason"),
    [
        (NAMED, ["short", "odd"], "'kind' holds 'odd', which is not a class of the model: it has 'long', 'short'"),
        (NAMED, [None, None], "has no row with a 'kind'"),
        (LinearRegression().fit(X, X["width"]), ["a", "b"], "'kind' holds 'a', and the model predicts numbers"),
    ],
)
def test_another_target_is_refused(model: Any, cells: list[Any], reason: str) -> None:
    """The message has a value of the column and what the model predicts."""
    with pytest.raises(NotPublishable, match=reason):
        sample_of(model, table(**{"sepal length": [1, 2]}, width=[1, 2], kind=cells), target="kind")


def test_scores_have_the_prefix_of_the_sample() -> None:
    """They are kept apart from scores on held-back rows; without a target there are none."""
    model = LinearRegression().fit(X, X["width"])

    output = scores(
        model,
        sample_of(model, table(**{"sepal length": X["sepal length"]}, width=X["width"], y=X["width"]), target="y"),
    )

    assert output["sample_r2"] == pytest.approx(1)
    assert all(name.startswith("sample_") for name in output)
    assert scores(model, sample_of(model, table(**X))) == {}
