"""Columns of every kind over HTTP: which values are accepted and refused, alike in JSON and CSV."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier

from artifacts import Store
from tests.support.bodies import records
from tests.support.server import Api, Server, environment, slug, untraced
from train import publish

KINDS = "/api/v1/models/kinds/predict"
AMOUNT = "/api/v1/models/amount/predict"
GOOD: dict[str, Any] = {
    "ratio": 0.5, "count": 7, "flag": True, "maybe": False, "colour": "red", "size": 5, "note": "quick and small",
}  # fmt: skip


def _frame(rows: int = 200) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    holes: Any = draw.random(rows) < 0.2
    nothing: Any = None
    return pd.DataFrame(
        {
            "ratio": np.where(holes, np.nan, draw.normal(size=rows)).astype(np.float32),
            "count": pd.array(np.where(holes, nothing, draw.integers(0, 9, rows)), dtype="Int64"),
            "flag": draw.random(rows) < 0.5,
            "maybe": pd.array(np.where(holes, nothing, draw.random(rows) < 0.5), dtype="boolean"),
            "colour": np.where(holes, nothing, draw.choice(["red", "green", "blue"], rows)),
            "size": pd.Categorical(draw.choice([1, 5, 9], rows), categories=[1, 5, 9, 12], ordered=True),
            "note": [f"number {row} of many" for row in range(rows)],
        }
    )


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A classifier of two booleans on a column of each kind, and a regressor that passes unknown categories on."""
    store, X = Store(tmp_path_factory.mktemp("kinds")), _frame()
    y = X["flag"] & (X["size"] != 1)
    columns = make_column_transformer(
        (SimpleImputer(), ["ratio", "count"]),
        ("passthrough", ["flag"]),
        (OneHotEncoder(), ["maybe", "colour"]),
        (OrdinalEncoder(), ["size"]),
        (CountVectorizer(), "note"),
    )
    tree = make_pipeline(columns, DecisionTreeClassifier(random_state=0)).fit(X, y)
    one_hot = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["colour"]), remainder="drop")
    ridge = make_pipeline(one_hot, Ridge()).fit(X[["colour"]], np.arange(200) * 1000.5)
    with untraced():
        publish(tree, X, y, name="kinds", store=store)
        publish(ridge, X[["colour"]], name="amount", unknown="pass", examples=False, store=store)
    env = environment(artifacts=store.root, state=tmp_path_factory.mktemp("state"), log_format="json")
    with Server(env) as running:
        yield Api(running, running.bearer())


def test_a_good_row_is_predicted(kinds: Api) -> None:
    """A row with a value of each kind is predicted, and its boolean class is returned as a boolean."""
    answer = kinds.predict([GOOD], KINDS)

    assert answer.json()["predictions"] == [True]
    assert answer.json()["classes"] == [False, True]


@pytest.mark.parametrize("column", ["ratio", "count", "maybe", "colour"])
def test_a_null_is_accepted_if_training_had_one(kinds: Api, column: str) -> None:
    """Numbers, booleans and texts may be null in columns that had nulls in training."""
    assert kinds.predict([{**GOOD, column: None}], KINDS).status_code == 200


@pytest.mark.parametrize("column", ["flag", "size", "note"])
def test_a_null_is_refused_if_training_had_none(kinds: Api, column: str) -> None:
    """A null in a column that had none in training is an error."""
    assert slug(kinds.predict([{**GOOD, column: None}], KINDS)) == "null"


@pytest.mark.parametrize(("column", "value", "code"), [
    ("flag", 1, "not-a-boolean"), ("flag", "true", "not-a-boolean"), ("maybe", 0.0, "not-a-boolean"),
    ("colour", "pink", "unknown-category"), ("colour", "Red", "unknown-category"), ("colour", "", "unknown-category"),
    ("colour", 1, "not-a-text"), ("colour", ["red"], "not-a-text"),
    ("size", 2, "unknown-category"), ("size", 5.5, "not-an-integer"), ("size", "5", "not-an-integer"),
    ("size", True, "not-an-integer"),
    ("note", 5, "not-a-text"), ("note", {}, "not-a-text"), ("note", False, "not-a-text"),
    ("count", 2.5, "not-an-integer"), ("count", True, "not-a-number"), ("count", 2**63, "out-of-range"),
    ("ratio", "1", "not-a-number"), ("ratio", 1e39, "out-of-range"),
])  # fmt: skip
def test_a_value_of_another_kind_is_refused_by_column(kinds: Api, column: str, value: object, code: str) -> None:
    """Values are not converted; the error names the column and the expected kind."""
    answer = kinds.predict([GOOD, {**GOOD, column: value}], KINDS)

    assert answer.status_code == 422
    assert slug(answer) == code
    [mistake] = answer.json()["errors"]
    assert (mistake["row"], mistake["column"]) == (1, column)


def test_the_error_of_an_unknown_category_lists_the_known_ones(kinds: Api) -> None:
    """The error lists the categories, which OpenAPI shows anyway."""
    [mistake] = kinds.predict([{**GOOD, "colour": "pink"}], KINDS).json()["errors"]

    assert mistake["message"].startswith("expected one of the categories that training saw: blue, green, red")


def test_a_declared_level_without_training_rows_is_accepted(kinds: Api) -> None:
    """The level passes the check; if the encoder refuses it, only its own row has no prediction."""
    answer = kinds.predict([GOOD, {**GOOD, "size": 12}], KINDS, on_error="report").json()

    assert answer["predictions"][0] is True
    assert [mistake["code"] for mistake in answer["errors"]] in ([], ["no-answer"])


@pytest.mark.parametrize(("column", "cell"), [
    ("ratio", " 0.5 "), ("count", "7.0"), ("flag", "True"), ("flag", "1"), ("maybe", "FALSE"), ("size", "5"),
])  # fmt: skip
def test_csv_cells_are_read_as_values_of_their_column(kinds: Api, column: str, cell: str) -> None:
    """Each cell of a CSV is read as the JSON value of its column's kind."""
    [answered] = records(_upload(kinds, {**_cells(), column: cell}))

    assert (answered["prediction"], answered["error"]) == ("true", "")


@pytest.mark.parametrize(("column", "cell"), [
    ("flag", "yes"), ("colour", "pink"), ("colour", " red"), ("size", "2"), ("size", "large"), ("note", ""),
    ("count", "2.5"), ("maybe", "maybe"),
])  # fmt: skip
def test_csv_explains_an_invalid_cell(kinds: Api, column: str, cell: str) -> None:
    """The row is returned without a prediction, and its error has the line and the column."""
    [answered] = records(_upload(kinds, {**_cells(), column: cell}))

    assert answered["prediction"] == ""
    assert answered["error"].startswith(f"line 2: {column}: expected ")


def test_a_regressor_returns_numbers_only(kinds: Api) -> None:
    """The response has the numbers of the estimator, and neither classes nor probabilities."""
    answer = kinds.predict([["red"], ["blue"]], AMOUNT).json()

    assert answer.keys() == {"model", "version", "predictions"}
    assert all(isinstance(value, float) and value > 1000 for value in answer["predictions"])


def test_an_unknown_category_is_accepted_if_published_so(kinds: Api) -> None:
    """The encoder ignores unknown categories, so the prediction is the offline one."""
    answer = kinds.predict([["pink"], ["mauve"]], AMOUNT).json()

    assert len(set(answer["predictions"])) == 1


def test_a_bad_row_of_a_regression_is_null_and_explained(kinds: Api) -> None:
    """With on_error=report the other rows are predicted."""
    answer = kinds.predict([["red"], [5], ["blue"]], AMOUNT, on_error="report").json()

    assert [value is None for value in answer["predictions"]] == [False, True, False]
    assert answer["errors"] == [{"row": 1, "column": "colour", "code": "not-a-text", "message": "expected a text"}]


def test_openapi_describes_every_kind(kinds: Api) -> None:
    """Each kind has its JSON type, nullable columns allow null, and categories are enumerated if others are refused."""
    schemas = kinds.get("/openapi.json").json()["components"]["schemas"]
    vector, record = schemas["kinds.PredictRequest"]["properties"]["instances"]["items"]["anyOf"]

    types = {cell["title"]: cell.get("type", cell.get("enum")) for cell in vector["prefixItems"]}
    assert types == {
        "ratio": ["number", "null"], "count": ["integer", "null"], "flag": "boolean", "maybe": ["boolean", "null"],
        "colour": ["blue", "green", "red", None], "size": [1, 5, 9, 12], "note": "string",
    }  # fmt: skip
    assert record["required"] == list(types)
    [passed] = schemas["amount.PredictRequest"]["properties"]["instances"]["items"]["anyOf"][0]["prefixItems"]
    assert passed["type"] == ["string", "null"]


def test_the_examples_of_openapi_are_predicted(kinds: Api) -> None:
    """The examples of the documentation are valid requests, whether they are training rows or generated."""
    paths = kinds.get("/openapi.json").json()["paths"]
    for path in (KINDS, AMOUNT):
        examples = paths[path]["post"]["requestBody"]["content"]["application/json"]["examples"]
        for example in examples.values():
            answer = kinds.server.client.post(path, json=example["value"], headers=kinds.headers)
            assert answer.status_code == 200, json.dumps(example)


def _cells() -> dict[str, str]:
    return {name: str(value) for name, value in GOOD.items()}


def _upload(api: Api, cells: dict[str, str]) -> Any:
    return api.post_csv(pd.DataFrame([cells]).to_csv(index=False).encode(), f"{KINDS}/csv")
