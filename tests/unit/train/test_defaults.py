"""The default pipeline takes any table: every kind of column, nulls in all of them, and what it has never seen."""

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_predict, cross_val_score
from threadpoolctl import threadpool_limits

from train.defaults import pipeline
from train.recipes import all_recipes

CHANCE = np.random.default_rng(0)
ROWS = 60
WORDS = np.array(["red", "green", "blue", "small", "large", "new", "used"])


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    """Threads that wait for each other would take most of the time."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def table() -> pd.DataFrame:
    """Every kind of column, with nulls in each."""
    texts = [" ".join(CHANCE.choice(WORDS, 4)) + f" {row}" for row in range(ROWS)]
    frame = pd.DataFrame(
        {
            "whole": np.arange(ROWS) % 7,
            "number": CHANCE.normal(size=ROWS),
            "flag": CHANCE.random(ROWS) < 0.5,
            "maybe": np.where(np.arange(ROWS) % 5 == 0, np.nan, (np.arange(ROWS) % 2 == 0).astype(object)),
            "colour": pd.Series(CHANCE.choice(WORDS[:3], ROWS), dtype="str"),
            "remark": pd.Series(texts, dtype="str"),
            "same": 1.0,
        }
    )
    frame.loc[3, "number"] = np.nan
    frame.loc[[4, 9], ["colour", "remark"]] = np.nan
    return frame


@pytest.mark.parametrize("classes", [2, 3, 0])
def test_it_is_fitted_on_every_kind_of_column(table: pd.DataFrame, classes: int) -> None:
    """Numbers, booleans, categories and texts, for classes and for numbers; reproducible, also after pickling."""
    y = pd.Series(np.arange(ROWS) % classes if classes else CHANCE.normal(size=ROWS))
    task: Any = "classification" if classes else "regression"

    model = pipeline(task, table).fit(table, y)

    assert (is_classifier(model), is_regressor(model)) == (bool(classes), not classes)
    again = clone(pipeline(task, table)).fit(table, y)
    assert np.array_equal(model.predict(table), again.predict(table))
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict(table), model.predict(table))


def test_it_predicts_unseen_values(table: pd.DataFrame) -> None:
    """Nulls where training had none, unknown categories and empty texts are predicted."""
    model = pipeline("classification", table).fit(table, np.arange(ROWS) % 2)
    strange = table.head(3).copy()
    strange[["whole", "number", "same"]] = np.nan
    strange["maybe"] = np.array([np.nan, True, False], dtype=object)
    strange["colour"] = pd.Series(["violet", None, "red"], dtype="str")
    strange["remark"] = pd.Series(["", None, "!"], dtype="str")

    assert np.isfinite(model.predict_proba(strange)).all()


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([np.nan] * ROWS),
        pd.Series([None] * ROWS, dtype="str"),
        pd.Series(["!" * row for row in range(1, ROWS + 1)], dtype="str"),
        pd.Series([f"{'x' * row}" for row in range(1, ROWS + 1)], dtype="str"),
    ],
    ids=["no number", "no text", "no letters", "one letter"],
)
def test_one_poor_column_is_enough(column: Any) -> None:
    """An uninformative column makes a poor model and no failure."""
    X = column.to_frame("poor")

    model = pipeline("classification", X).fit(X, np.arange(ROWS) % 2)

    assert len(model.predict(X)) == ROWS


@pytest.mark.parametrize(("name", "least"), [("iris", 0.93), ("penguins", 0.97), ("diabetes", 0.42)])
def test_it_is_good_on_small_tables(name: str, least: float) -> None:
    """On a few hundred rows it is as good as the recipes' own models."""
    X, y = all_recipes()[name].load()

    assert cross_val_score(pipeline("regression" if name == "diabetes" else "classification", X), X, y).mean() > least


@pytest.mark.parametrize(("rows", "model"), [(2_000, "VotingRegressor"), (2_001, "HistGradientBoostingRegressor")])
def test_many_rows_have_no_linear_model(rows: int, model: str) -> None:
    """On a large table, only the trees are fitted."""
    assert type(pipeline("regression", pd.DataFrame({"number": np.arange(rows)}))[-1]).__name__ == model


def test_its_probabilities_are_honest() -> None:
    """Trees alone are as sure of their mistakes as of the rest; here that costs 0.36."""
    X, y = all_recipes()["iris"].load()

    assert log_loss(y, cross_val_predict(pipeline("classification", X), X, y, method="predict_proba")) < 0.2
