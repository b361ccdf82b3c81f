"""A hundred rows of every kind of model, sent in three ways, get the offline predictions of the estimator."""

import csv
import io
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import ArrayLike

from artifacts import Store
from tests.support.real_models import MODELS, Brought
from tests.support.server import Api, Server, environment, untraced

ROWS = 100
TOLERANCE = 1e-9


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, dict[str, Brought]]]:
    """A server for all models of `MODELS`."""
    store = tmp_path_factory.mktemp("brought")
    models = {name: make() for name, make in MODELS.items()}
    with untraced():
        for model in models.values():
            model.publish(Store(store))
    env = environment(artifacts=store, state=tmp_path_factory.mktemp("state"), log_format="json")
    with Server(env) as running:
        yield Api(running, running.bearer()), models


@dataclass(frozen=True)
class Case:
    """A model, a hundred of its rows under its column names, and their offline predictions."""

    api: Api
    model: Brought
    frame: pd.DataFrame
    labels: list[Any]
    probabilities: Any

    @property
    def path(self) -> str:
        """The path of the model's predictions."""
        return f"/api/v1/models/{self.model.name}/predict"

    @property
    def rows(self) -> list[list[Any]]:
        """The rows as JSON values."""
        columns = [
            [None if pd.isna(value) else value for value in self.frame[name].tolist()] for name in self.frame.columns
        ]
        return [list(row) for row in zip(*columns, strict=True)]

    def agrees(self, labels: list[Any], probabilities: ArrayLike | None) -> bool:
        """Return whether predictions equal the offline ones; numbers may differ within the tolerance."""
        if not hasattr(self.model.estimator, "classes_"):
            return bool(np.allclose(labels, self.labels, rtol=TOLERANCE, atol=TOLERANCE))
        apart = np.abs(np.asarray(probabilities) - self.probabilities).max()
        return labels == self.labels and bool(apart <= TOLERANCE)


@pytest.fixture(params=MODELS)
def case(request: pytest.FixtureRequest, brought: tuple[Api, dict[str, Brought]]) -> Case:
    """One model, and rows drawn from all of its data."""
    api, models = brought
    model = models[request.param]
    chosen = np.random.default_rng(0).choice(len(model.X), ROWS, replace=False)
    rows = model.X[chosen] if isinstance(model.X, np.ndarray) else model.X.iloc[chosen]
    frame = pd.DataFrame(rows)
    if isinstance(model.X, np.ndarray):
        frame = frame.rename(columns="x{}".format)
    return Case(api, model, frame, model.expected(rows), model.probabilities(rows))


def test_vectors_are_answered_as_offline(case: Case) -> None:
    """Vectors in the model's order, nulls included, get the offline predictions of the estimator."""
    answer = case.api.predict(case.rows, case.path).json()

    assert case.agrees(answer["predictions"], answer.get("probabilities"))


def test_named_rows_in_any_order_are_answered_as_offline(case: Case) -> None:
    """Objects are matched by name, whatever the order of their keys."""
    order = random.Random(0)
    records = [dict(zip(case.frame.columns, row, strict=True)) for row in case.rows]
    shuffled = [dict(order.sample(list(record.items()), k=len(record))) for record in records]

    answer = case.api.predict(shuffled, case.path).json()

    assert case.agrees(answer["predictions"], answer.get("probabilities"))


def test_csv_is_answered_as_offline(case: Case) -> None:
    """A CSV as pandas writes it, columns reversed, is returned row by row with the offline predictions."""
    body = case.frame[case.frame.columns[::-1]].to_csv(index=False).encode()

    lines = list(csv.DictReader(io.StringIO(case.api.post_csv(body, f"{case.path}/csv").text, newline="")))

    classes = [name for name in (lines[0] if lines else {}) if name.startswith("probability_")]
    predictions: list[Any] = [line["prediction"] for line in lines]
    assert [line["error"] for line in lines] == [""] * ROWS
    labels = predictions if classes else [float(number) for number in predictions]
    assert case.agrees(labels, [[float(line[name]) for name in classes] for line in lines])
