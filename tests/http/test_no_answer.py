"""Models that have no answer for some rows: each such row is told so, and no neighbour pays for it."""

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
    """Neighbours that vote for no class, an encoder that takes only what it knows, and an array of texts."""
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
def test_what_is_no_class_of_the_model_is_no_answer(refusing: Api, model: str) -> None:
    """A label for outliers is none of the classes, and is never told as the one that sorts next to it."""
    answer = refusing.predict([[50, 50], [0.5, 0]], _path(model), on_error="report").json()

    assert answer["predictions"][0] is None
    assert answer["predictions"][1] in (1, 2)
    assert [mistake["code"] for mistake in answer["errors"]] == ["no-answer"]


@pytest.mark.parametrize("every", [10, 5, 2])
def test_rows_beside_refused_ones_are_answered(refusing: Api, every: int) -> None:
    """However many rows the model refuses, exactly these have no answer."""
    rows = [["zz" if row % every == 0 else "a", 0.1] for row in range(ROWS)]

    answer = refusing.predict(rows, _path("strict"), on_error="report").json()

    unasked = {mistake["row"] for mistake in answer["errors"] if mistake["code"] == "not-asked"}
    silent = {row for row, told in enumerate(answer["predictions"]) if told is None}
    assert silent - unasked == set(range(0, ROWS, every)) - unasked


def test_a_text_of_an_array_may_be_so_long_and_no_longer(refusing: Api) -> None:
    """Numpy would give every text of the request the room of the longest: 14 gigabytes for one of 4 megabytes."""
    rows = [["word 1", "1"]] * 99

    assert refusing.predict([*rows, ["x" * 1024, "1"]], _path("words")).status_code == 200
    assert slug(refusing.predict([*rows, ["x" * 1025, "1"]], _path("words"))) == "text-too-long"
