"""Models that have no prediction for some rows: each such row has an error, and the other rows are predicted."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import RadiusNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from artifacts import Store
from tests.support.server import Api, Server, environment, slug, untraced
from train import publish

ROWS = 1000


def _path(model: str) -> str:
    return f"/api/v1/models/{model}/predict"


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Run a server with outlier labels, an encoder that refuses unknown values, and an array of texts."""
    store, draw = Store(tmp_path_factory.mktemp("refusing")), np.random.default_rng(0)
    X = draw.normal(size=(200, 2))
    y = (X[:, 0] > 0).astype(int) + 1
    colours = pd.DataFrame({"colour": draw.choice(list("abc"), 200), "size": X[:, 0]})
    strict = make_column_transformer((OneHotEncoder(), ["colour"]), remainder="passthrough")
    words = np.array([[f"word {row}", f"{row % 7}"] for row in range(200)])
    lenient = OneHotEncoder(handle_unknown="ignore")
    models: list[tuple[str, Any, Any]] = [
        ("below", RadiusNeighborsClassifier(radius=3, outlier_label=0), X),
        ("above", RadiusNeighborsClassifier(radius=3, outlier_label=9), X),
        ("strict", make_pipeline(strict, LogisticRegression()), colours),
        ("words", make_pipeline(lenient, LogisticRegression()), words),
    ]
    with untraced():
        for name, estimator, rows in models:
            publish(estimator.fit(rows, y), rows, y, name=name, unknown="pass", store=store)
    env = environment(artifacts=store.root, state=tmp_path_factory.mktemp("state"), log_format="json")
    with Server(env) as running:
        yield Api(running, running.bearer())


@pytest.mark.parametrize("model", ["below", "above"])
def test_an_outlier_label_is_no_prediction(refusing: Api, model: str) -> None:
    """A label for outliers is not a class, and is never returned as the class that sorts next to it."""
    answer = refusing.predict([[50, 50], [0.5, 0]], _path(model), on_error="report").json()

    assert answer["predictions"][0] is None
    assert answer["predictions"][1] in (1, 2)
    assert [mistake["code"] for mistake in answer["errors"]] == ["no-answer"]


@pytest.mark.parametrize("every", [10, 5, 2])
def test_only_refused_rows_have_no_prediction(refusing: Api, every: int) -> None:
    """However many rows the model refuses, exactly these have no prediction."""
    rows = [["zz" if row % every == 0 else "a", 0.1] for row in range(ROWS)]

    answer = refusing.predict(rows, _path("strict"), on_error="report").json()

    not_tried = {mistake["row"] for mistake in answer["errors"] if mistake["code"] == "not-asked"}
    missing = {row for row, label in enumerate(answer["predictions"]) if label is None}
    assert missing - not_tried == set(range(0, ROWS, every)) - not_tried


def test_the_length_of_texts_in_an_array_is_limited(refusing: Api) -> None:
    """Numpy would allocate the length of the longest text for every text: 14 GB for one of 4 MB."""
    rows = [["word 1", "1"]] * 99

    assert refusing.predict([*rows, ["x" * 1024, "1"]], _path("words")).status_code == 200
    assert slug(refusing.predict([*rows, ["x" * 1025, "1"]], _path("words"))) == "text-too-long"
