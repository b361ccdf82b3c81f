"""The values of each column that a fitted model knows, and a sample that is cast to them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder
from xgboost import XGBClassifier

from train.errors import NotPublishable
from train.known_values import KnownValues, brief, cast_sample, known_values_of

ROWS = 40
X = pd.DataFrame({"weight": np.arange(ROWS) * 1.5, "zip": ["01", "02"] * (ROWS // 2)})
LEVELS = X.assign(zip=pd.Categorical(X["zip"], categories=["02", "01"]))
Y = np.arange(ROWS) % 2
ENCODED = ColumnTransformer([("zip", make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()), [1])])


def fitted(model: Any, X: pd.DataFrame = X) -> Any:
    """Return the fitted model."""
    return model.fit(X, Y)


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(ENCODED, LogisticRegression()),
        Pipeline([("none", None), ("kept", "passthrough"), ("encoded", ENCODED), ("line", LogisticRegression())]),
        GridSearchCV(make_pipeline(ENCODED, LogisticRegression()), {"logisticregression__C": [1.0]}, cv=2),
    ],
    ids=["pipeline", "passthrough", "search"],
)
def test_an_encoder_behind_an_imputer_knows_its_values(model: Any) -> None:
    """The values are found by column through pipelines, column transformers and searches."""
    assert known_values_of(fitted(model)) == {"zip": KnownValues(("01", "02"))}


@pytest.mark.parametrize(
    ("model", "known"),
    [
        (LGBMClassifier(n_estimators=2, verbose=-1), KnownValues(("02", "01"), are_levels=True)),
        (XGBClassifier(n_estimators=2, enable_categorical=True), KnownValues(("02", "01"), are_levels=True)),
        (HistGradientBoostingClassifier(max_iter=2), KnownValues(("01", "02"), are_levels=True)),
    ],
    ids=["lightgbm", "xgboost", "histograms"],
)
def test_a_library_keeps_the_levels_of_categories(model: Any, known: KnownValues) -> None:
    """The levels of pandas' categories are known, in the order in which the library keeps them."""
    assert known_values_of(fitted(model, LEVELS)) == {"zip": known}


def test_a_model_of_numbers_knows_no_values() -> None:
    """A model without categories, or one of arrays without names, knows none."""
    assert known_values_of(fitted(LogisticRegression(), X[["weight"]])) == {}
    assert known_values_of(LogisticRegression().fit(X[["weight"]].to_numpy(), Y)) == {}


def test_nulls_are_no_known_values() -> None:
    """An encoder that was fitted on nulls knows the other values."""
    holed = X.assign(zip=X["zip"].mask(X["weight"] > 50))

    assert known_values_of(fitted(OneHotEncoder(), holed[["zip"]])) == {"zip": KnownValues(("01", "02"))}


def cast(values: Any, learned: KnownValues | None = None, dtype: str = "", *, numbers: bool = True) -> pd.Series:
    """Cast one column."""
    known = {} if learned is None else {"c": learned}
    frame = pd.DataFrame({"c": values})
    return cast_sample(frame, known, {"c": dtype} if dtype else {}, "rows.csv", numbers=numbers)["c"]


def test_numbers_become_the_texts_that_the_model_knows() -> None:
    """A column of digits is cast to texts if the model was fitted on texts; a null stays null."""
    texts = cast([1.0, None, 2.0], KnownValues(("1", "2")))

    assert texts.isna().tolist() == [False, True, False]
    assert texts.dropna().tolist() == ["1", "2"]
    assert cast(["a", "b"], KnownValues(("a",))).tolist() == ["a", "b"]


def test_levels_are_restored_in_their_order() -> None:
    """A column becomes a categorical with the levels of the model."""
    levels = cast(["01", "01"], KnownValues(("02", "01"), are_levels=True))

    assert levels.dtype == pd.CategoricalDtype(["02", "01"])
    assert cast([3, 1], KnownValues((1, 2, 3), are_levels=True)).cat.categories.tolist() == [1, 2, 3]


def test_an_unknown_level_is_refused_with_its_row() -> None:
    """The message has the row, the value and the first eight levels."""
    with pytest.raises(NotPublishable, match=r"row 2 of rows.csv: column 'c' holds 'x'.* are '0', .*'7'; remove"):
        cast(["0", "x"], KnownValues(tuple("0123456789"), are_levels=True))


@pytest.mark.parametrize(("numbers", "dtype"), [(True, "float64"), (False, "int64")])
def test_integers_become_floats_unless_they_are_known_to_be_integers(numbers: bool, dtype: str) -> None:
    """A sample of integers does not show that the model was fitted on integers."""
    assert cast([1, 2], numbers=numbers).dtype == dtype
    assert cast([1, 2], KnownValues((1, 2)), numbers=numbers).dtype == dtype


def test_a_requested_dtype_comes_first() -> None:
    """The dtype of the caller is used whatever the model knows; one that does not fit is refused with advice."""
    assert cast([1, 2], KnownValues(("1", "2")), "Int64").dtype == "Int64"
    assert cast([1, 2], dtype="str").tolist() == ["1", "2"]
    with pytest.raises(NotPublishable, match=r"column 'c' cannot be cast to float64: .*; name a dtype of pandas"):
        cast(["a"], dtype="float64")


def test_a_reason_is_one_line_of_bounded_length() -> None:
    """Blanks and ends of lines become one blank, and a long message is cut."""
    assert brief(ValueError("a\n  b")) == "a b"
    assert brief(ValueError("x" * 400)) == "x" * 300 + "…"
