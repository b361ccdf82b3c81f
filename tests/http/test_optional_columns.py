"""Columns that a model ignores may be left out of objects and of a CSV; the predictions stay the same."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from artifacts import Store
from tests.support.server import Api, Server, environment, unmeasured
from train import publish

CHANCE = np.random.default_rng(0)
X = pd.DataFrame(
    {
        "note": [f"guest {place} of ours" for place in range(60)],
        "age": CHANCE.normal(40, 9, 60),
        "count": CHANCE.integers(0, 9, 60),
        "size": CHANCE.normal(size=60),
    }
)
MODEL = make_pipeline(make_column_transformer((StandardScaler(), ["age", "size"])), LogisticRegression())
EXPECTED = MODEL.fit(X, X["age"] > 40).predict(X).tolist()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server of this one model."""
    folder = tmp_path_factory.mktemp("optional")
    with unmeasured():
        publish(MODEL, X, X["age"] > 40, name="guests", store=Store(folder / "store"))
    with Server(environment(artifacts=folder / "store", state=folder / "state", log_format="json")) as server:
        yield Api(server, server.bearer())


def _objects(*columns: str) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in X[list(columns)].to_numpy().tolist()]


@pytest.mark.parametrize("columns", [["age", "size"], ["size", "count", "age"], list(X)])
def test_an_object_may_omit_columns_that_the_model_ignores(api: Api, columns: list[str]) -> None:
    """It may omit all, some or none of them."""
    answer = api.predict(_objects(*columns))

    assert (answer.status_code, answer.json()["predictions"]) == (200, EXPECTED)


def test_objects_of_one_request_may_differ(api: Api) -> None:
    """Missing columns are filled separately for each object."""
    answer = api.predict([*_objects("age", "size")[:2], *_objects(*X)[2:4]])

    assert answer.json()["predictions"] == EXPECTED[:4]


def test_what_the_model_needs_is_still_required(api: Api) -> None:
    """Only the column that is needed is reported; what is sent is checked, needed or not."""
    missing = api.predict([{"age": 41.5}])
    wrong = api.predict([{"age": 41.5, "size": 1, "count": "many"}])

    assert [(each["column"], each["code"]) for each in missing.json()["errors"]] == [("size", "missing-column")]
    assert [(each["column"], each["code"]) for each in wrong.json()["errors"]] == [("count", "not-a-number")]


def test_a_vector_has_all_columns(api: Api) -> None:
    """A vector without a column is refused, because its values are matched by position."""
    assert api.predict([[41.5, 1.0]]).json()["errors"][0]["code"] == "wrong-length"
    assert api.predict(X.to_numpy().tolist()).json()["predictions"] == EXPECTED


@pytest.mark.parametrize("columns", [["size", "age"], ["age", "note", "size"], list(X)])
@pytest.mark.parametrize("quoted", [False, True])
def test_a_csv_may_omit_columns_that_the_model_ignores(api: Api, columns: list[str], quoted: bool) -> None:
    """The predictions are the same for rows of the fast path and of the row-by-row path."""
    body = X[columns].to_csv(index=False, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL).encode()

    rows = list(csv.DictReader(io.StringIO(api.post_csv(body).text)))

    assert [row["prediction"] for row in rows] == [str(label).lower() for label in EXPECTED]


def test_a_csv_without_a_needed_column_is_refused(api: Api) -> None:
    """Only the needed column is reported as missing."""
    answer = api.post_csv(X[["age", "note"]].to_csv(index=False).encode())

    assert answer.status_code == 422
    assert answer.json()["detail"].endswith("missing: size")


def test_openapi_requires_what_the_model_needs(api: Api) -> None:
    """Columns that the model ignores are optional in the schema, so generated clients may omit them."""
    document = api.get("/openapi.json").json()
    _, record = document["components"]["schemas"]["guests.PredictRequest"]["properties"]["instances"]["items"]["anyOf"]

    assert record["required"] == ["age", "size"]
    assert list(record["properties"]) == list(X)
