"""Replaying encoders by look-up tables."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

from tests.support.published import model_of
from train.compile.coding import binned, coded
from train.compile.compiling import as_table
from train.compile.errors import NotLowered
from train.compile.sources import Source

ROWS = 30
TEXTS = pd.DataFrame({"c": ["a", "b", "d"] * 10, "e": ["x", "y"] * 15})
HOLED = TEXTS.assign(c=TEXTS["c"].where(TEXTS.index > 3, None))
CODES = np.column_stack([np.arange(ROWS) % 3, np.arange(ROWS) % 2]).astype(float)
Y = np.arange(ROWS) % 2
ORDINAL = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)


def dense(made: Any) -> np.ndarray[Any, Any]:
    """Return an array, also of a sparse matrix."""
    return np.asarray(made.toarray() if hasattr(made, "toarray") else made)


def source_of(transformer: Any, X: pd.DataFrame) -> tuple[Source, Any]:
    """Return the columns of the rows, and the rows as a table."""
    model, rows = model_of(make_pipeline(transformer, LogisticRegression()).fit(X, Y), X)
    return Source.of(model.signature), as_table(model.signature, rows)


@pytest.mark.parametrize(
    ("transformer", "X"),
    [
        (OneHotEncoder(), TEXTS),
        (OneHotEncoder(drop="first"), TEXTS),
        (ORDINAL, TEXTS),
        (TargetEncoder(), TEXTS),
        (OneHotEncoder(handle_unknown="ignore"), HOLED),
        (make_pipeline(OrdinalEncoder(), StandardScaler()), TEXTS),
        (OneHotEncoder(), TEXTS[["c"]]),
    ],
    ids=["one-hot", "dropped", "ordinal", "targets", "nulls", "pipeline", "one column"],
)
def test_a_table_has_the_numbers_of_the_encoder(transformer: Any, X: pd.DataFrame) -> None:
    """Each known value and a null are replaced by the numbers that the encoder returns for them."""
    source, table = source_of(transformer, X)

    replayed = coded(transformer.fit(X, Y), source)

    assert replayed.step(table).tolist() == dense(transformer.transform(X)).tolist()


@pytest.mark.parametrize(
    ("transformer", "reason"),
    [
        (make_pipeline(OneHotEncoder(sparse_output=False), Normalizer()), "cannot compile Normalizer over texts"),
        (make_pipeline(SimpleImputer(strategy="most_frequent", missing_values="a"), ORDINAL), "that are not null"),
        (make_pipeline(SimpleImputer(strategy="most_frequent", add_indicator=True), ORDINAL), "add_indicator"),
    ],
    ids=["other step", "missing values", "indicator"],
)
def test_a_pipeline_without_a_table_is_refused(transformer: Any, reason: str) -> None:
    """The reason names the step that does not transform every column separately."""
    source, _ = source_of(transformer, TEXTS)

    with pytest.raises(NotLowered, match=reason):
        coded(transformer.fit(TEXTS, Y), source)


def test_targets_of_several_classes_are_refused() -> None:
    """A TargetEncoder of several classes makes several numbers of a column."""
    source, _ = source_of(TargetEncoder(), TEXTS)

    with pytest.raises(NotLowered, match="TargetEncoder for several classes"):
        coded(TargetEncoder().fit(TEXTS, np.arange(ROWS) % 3), source)


def test_fractions_together_with_texts_are_refused() -> None:
    """The values of a column of fractions cannot be listed."""
    X = TEXTS.assign(f=np.arange(ROWS) * 0.5)
    source, _ = source_of(ORDINAL, X)

    with pytest.raises(NotLowered, match="over fractions together with texts"):
        coded(ORDINAL.fit(X), source)


@pytest.mark.parametrize(
    "encoder",
    [OneHotEncoder(handle_unknown="ignore"), ORDINAL, TargetEncoder()],
    ids=repr,
)
def test_an_encoder_of_numbers_is_replayed_with_unknown_numbers_and_nulls(encoder: Any) -> None:
    """Known numbers, unknown ones and nulls have the numbers of the encoder."""
    fitted = encoder.fit(CODES, Y)
    rows = np.array([[0.0, 1.0], [7.5, 0.0], [np.nan, 1.0]])

    assert binned(fitted, Source(2)).step(rows).tolist() == dense(fitted.transform(rows)).tolist()


def test_an_encoder_of_numbers_that_refuses_unknown_ones_still_does() -> None:
    """A strict encoder has a strict table."""
    step = binned(OneHotEncoder().fit(CODES), Source(2)).step

    assert step(CODES).shape == (ROWS, 5)
    with pytest.raises(ValueError, match="does not know a value"):
        step(np.array([[9.0, 0.0]]))


def test_an_encoder_that_knows_only_nulls_is_refused() -> None:
    """A column without a known value has no table."""
    with pytest.raises(NotLowered, match="knows no value of a column"):
        binned(OneHotEncoder().fit(np.full((3, 1), np.nan)), Source(1))
