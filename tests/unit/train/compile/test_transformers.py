"""Replaying fitted transformers of scikit-learn, step by step."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)

from artifacts import Signature
from tests.support.tiny_models import column
from train.compile.errors import NotLowered
from train.compile.sources import Source
from train.compile.transformers import replay

NAMES = ["a", "b", "c"]
NUMBERS = np.random.default_rng(0).normal(size=(30, 3))
X = pd.DataFrame(NUMBERS, columns=NAMES).mask(NUMBERS < -1)
FULL = X.fillna(0.0)
Y = np.arange(30) % 2
SIGNATURE = Signature(container="frame", columns=tuple(column(name, "float64") for name in NAMES))


def replayed(transformer: Any, rows: pd.DataFrame) -> Any:
    """Return the result of the replay of a fitted transformer for rows."""
    return replay(transformer, Source.of(SIGNATURE)).step(rows.to_numpy())


@pytest.mark.parametrize(
    "transformer",
    [
        StandardScaler(),
        StandardScaler(with_mean=False),
        StandardScaler(with_mean=False, with_std=False),
        MinMaxScaler((0, 0.5), clip=True),
        MaxAbsScaler(),
        MaxAbsScaler(clip=True),
        RobustScaler(),
        SimpleImputer(),
        PCA(2),
        SelectKBest(k=2),
        FunctionTransformer(),
        make_pipeline(StandardScaler(), "passthrough", PCA(1)),
        make_union(StandardScaler(), PCA(1)),
        FeatureUnion([("kept", "passthrough"), ("left", "drop")]),
        ColumnTransformer([("a", StandardScaler(), ["b"]), ("none", PCA(), [])], remainder="passthrough"),
    ],
    ids=repr,
)
def test_a_replay_returns_the_numbers_of_its_transformer(transformer: Any) -> None:
    """The replay of a fitted transformer returns the same numbers for other rows."""
    fitted = transformer.fit(FULL, Y)
    rows = FULL * 3

    assert replayed(fitted, rows) == pytest.approx(np.asarray(fitted.transform(rows)), abs=1e-12)


@pytest.mark.parametrize("rows", [X, FULL], ids=["nulls", "no nulls"])
def test_an_imputer_marks_the_columns_that_had_nulls(rows: pd.DataFrame) -> None:
    """The indicators are those of the columns that had a null when the imputer was fitted."""
    fitted = SimpleImputer(add_indicator=True).fit(rows)

    assert replayed(fitted, rows).tolist() == fitted.transform(rows).tolist()


def test_nothing_is_replayed_for_passthrough() -> None:
    """A step that is left out returns its input."""
    source = Source.of(SIGNATURE)

    assert replay(None, source) is replay("passthrough", source) is source


class Own(StandardScaler):  # type: ignore[misc]  # scikit-learn has no types
    """A scaler of the publisher, which may compute something else."""


@pytest.mark.parametrize(
    ("transformer", "reason"),
    [
        (PolynomialFeatures(), "cannot compile PolynomialFeatures"),
        (Own(), "cannot compile Own"),
        (PCA(2, whiten=True), "PCA that whitens"),
        (FunctionTransformer(np.abs), "FunctionTransformer with a function"),
        (SimpleImputer(missing_values=0.0), "missing values are not NaN"),
        (FeatureUnion([("a", StandardScaler())], transformer_weights={"a": 2.0}), "FeatureUnion with weights"),
        (ColumnTransformer([("all", "drop", NAMES)]), "drops every column"),
    ],
    ids=lambda each: "" if isinstance(each, str) else type(each).__name__,
)
def test_a_transformer_without_a_replay_is_named(transformer: Any, reason: str) -> None:
    """The reason names the transformer, or the option of it, that has no replay."""
    with pytest.raises(NotLowered, match=reason):
        replay(transformer.fit(FULL, Y), Source.of(SIGNATURE))


def test_an_imputer_that_drops_a_column_has_no_replay() -> None:
    """A column without values has no statistic."""
    fitted = SimpleImputer().fit(X.assign(c=np.nan))

    with pytest.raises(NotLowered, match="drops a column"):
        replay(fitted, Source.of(SIGNATURE))


def test_long_integers_are_encoded_as_integers() -> None:
    """Two integers that are equal as floats are different categories."""
    long = Signature(container="frame", columns=(column("id", "int64"),))
    rows = pd.DataFrame({"id": [2**60, 2**60 + 1]})
    fitted = make_pipeline(OneHotEncoder()).fit(rows)

    made = replay(fitted, Source.of(long)).step(long.table([rows["id"].to_numpy()]))

    assert made.tolist() == [[1.0, 0.0], [0.0, 1.0]]
