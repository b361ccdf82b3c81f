"""Models, targets and tables of other libraries: published, and answered as they answer by themselves."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from catboost import CatBoostClassifier, CatBoostRegressor
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from artifacts import Store
from train import publish
from train.errors import NotPublishable

CHANCE = np.random.default_rng(0)
X = pd.DataFrame({"leaf length": CHANCE.normal(size=60), "width": CHANCE.normal(size=60)})
LONG = X["leaf length"] > 0
COLOURED = X.assign(colour=np.where(LONG, "red", "green"))
QUIET: dict[str, Any] = {"iterations": 5, "verbose": False, "thread_count": 1, "allow_writing_files": False}
PIPELINE = make_pipeline(
    ColumnTransformer([("texts", OneHotEncoder(), ["colour"])], remainder="passthrough"), LogisticRegression()
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(tmp_path)


def _answers(store: Store, rows: list[Any]) -> list[Any]:
    """What a server would answer to rows of plain values, by the version that was published last."""
    bundle = store.load("model", max(store.versions("model")))
    batch = bundle.manifest.signature.check(list(zip(*rows, strict=True)))
    assert batch.faults == ()
    answered: list[Any] = bundle.predict(batch.data).labels.tolist()
    return answered


@pytest.mark.parametrize(
    ("estimator", "X", "y"),
    [
        (CatBoostClassifier(**QUIET), X, np.where(LONG, "long", "short")),
        (CatBoostClassifier(**QUIET), X.to_numpy(), np.arange(60) % 3),
        (CatBoostClassifier(**QUIET), X, LONG),
        (CatBoostClassifier(cat_features=["colour"], **QUIET), COLOURED, LONG.astype(int)),
        (CatBoostClassifier(cat_features=["colour"], **QUIET), COLOURED.astype({"colour": "category"}), LONG),
        (CatBoostRegressor(**QUIET), X, X["width"] * 3),
    ],
    ids=["texts", "three-classes", "booleans", "categories", "pandas-categories", "regressor"],
)
def test_a_bare_catboost_model_is_published(store: Store, estimator: Any, X: Any, y: Any) -> None:
    """It returns rows of plain values as it answered the table, after it was pickled and loaded too."""
    estimator.fit(X, y)

    publish(estimator, X, y, name="model", store=store)

    expected = np.ravel(estimator.predict(X)).tolist()
    assert _answers(store, pd.DataFrame(X).to_numpy().tolist()) == expected


def test_catboost_knows_the_order_of_its_columns(store: Store) -> None:
    """CatBoost itself answers for columns in any order; a caller's vector has one."""
    estimator = CatBoostClassifier(**QUIET).fit(X, LONG)

    with pytest.raises(NotPublishable, match="must be those that the estimator was fitted on, in the same order"):
        publish(estimator, X[["width", "leaf length"]], LONG, name="model", store=store)


def test_an_unfitted_catboost_model_is_refused(store: Store) -> None:
    """As any other."""
    with pytest.raises(NotPublishable, match="is not fitted: call fit first"):
        publish(CatBoostClassifier(**QUIET), X, LONG, name="model", store=store)


@pytest.mark.parametrize("made", ["pandas", "pyarrow"])
@pytest.mark.parametrize(("dtype", "classes"), [("Int64", (0, 1)), ("boolean", (False, True))])
def test_a_target_of_pandas_own_dtypes_is_published(store: Store, dtype: str, classes: tuple[Any], made: str) -> None:
    """scikit-learn converts it to floats; callers get the values of y."""
    arrow = {"Int64": "int64[pyarrow]", "boolean": "bool[pyarrow]"}[dtype]
    y = LONG.astype(pd.api.types.pandas_dtype(arrow if made == "pyarrow" else dtype))
    estimator = LogisticRegression().fit(X, y)

    manifest = publish(estimator, X, y, name="model", store=store, held_back=(X, y))

    assert list(map(repr, manifest.classes)) == list(map(repr, classes))
    assert manifest.scores["accuracy"] == estimator.score(X, LONG)
    assert _answers(store, X.to_numpy().tolist()) == [bool(value) for value in estimator.predict(X)]


@pytest.mark.parametrize("dtype", ["string", "str", "category"])
def test_a_target_of_texts_is_published_in_every_dtype(store: Store, dtype: str) -> None:
    """Its classes are these texts."""
    y = LONG.map({True: "long", False: "short"}).astype(pd.api.types.pandas_dtype(dtype))

    manifest = publish(LogisticRegression().fit(X, y), X, y, name="model", store=store)

    assert manifest.classes == ("long", "short")


def test_classes_that_are_floats_are_refused_with_the_reason(store: Store) -> None:
    """It names the class, and pandas' dtypes, which come as floats where y is not at hand."""
    with pytest.raises(NotPublishable, match=r"convert y before fitting; one is 0\.0, and if y was Int64 .* pass y"):
        publish(LogisticRegression().fit(X, LONG.astype("Int64")), X, name="model", store=store)


def test_a_polars_table_is_published_as_pandas_has_it(store: Store) -> None:
    """Numbers, texts and categories; the answers are those for the polars table."""
    table = pl.from_pandas(COLOURED).with_columns(pl.col("colour").cast(pl.Categorical))
    y = pl.Series("kind", np.where(LONG, "long", "short"))
    estimator = PIPELINE.fit(table, y)

    manifest = publish(estimator, table, y, name="model", store=store, held_back=(table, y))

    assert [column.kind for column in manifest.signature.columns] == ["float", "float", "category"]
    assert manifest.training is not None
    assert manifest.training.target == "kind"
    assert _answers(store, COLOURED.to_numpy().tolist()) == estimator.predict(table).tolist()


def test_a_polars_series_of_texts_is_published(store: Store) -> None:
    """For a pipeline that begins with a vectorizer."""
    texts = pl.Series("line", ["red leaf", "green leaf"] * 30)
    estimator = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, [0, 1] * 30)

    publish(estimator, texts, name="model", store=store)

    assert _answers(store, [["red leaf"], ["green leaf"]]) == [0, 1]


def test_a_polars_table_without_rows_yet_is_refused(store: Store) -> None:
    """A LazyFrame is a plan, and the message says how to make a table of it."""
    lazy: Any = pl.from_pandas(X).lazy()

    with pytest.raises(NotPublishable, match=r"X is a LazyFrame, which is lazy: pass X\.collect\(\)"):
        publish(LogisticRegression().fit(X, LONG), lazy, name="model", store=store)


def _squared(table: Any) -> Any:
    return table.with_columns(pl.all() ** 2)


def _is_polars(table: Any) -> Any:
    return np.c_[np.asarray(table), np.full(len(table), float(isinstance(table, pl.DataFrame)))]


@pytest.mark.parametrize("function", [_squared, _is_polars])
def test_a_pipeline_that_needs_polars_is_refused_with_the_reason(store: Store, function: Any) -> None:
    """A server has pandas' tables: one that fails on them, or predicts something else, is not published."""
    table, y = pl.from_pandas(X), 3 * X["width"]
    estimator = make_pipeline(FunctionTransformer(function), LinearRegression(fit_intercept=False)).fit(table, y + 1)

    with pytest.raises(NotPublishable, match=r"a table of polars converted to pandas: fit it on X\.to_pandas\(\)"):
        publish(estimator, table, name="model", store=store)
