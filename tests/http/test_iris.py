"""All 150 iris rows, sent over HTTP in three ways, get the offline predictions of the model."""

import csv
import io
import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

from artifacts import Predictions, Store
from tests.support.server import Api


@pytest.fixture(scope="module")
def rows(store: Path) -> pd.DataFrame:
    """The 150 flowers under the model's column names."""
    names = Store(store).manifest("iris", 1).signature.names
    return pd.DataFrame(load_iris().data, columns=names)


@pytest.fixture(scope="module")
def offline(store: Path, rows: pd.DataFrame) -> Predictions:
    """The predictions of the published model in this process."""
    return Store(store).load("iris", 1).predict(rows.to_numpy())


def test_vectors_are_answered_as_offline(api: Api, rows: pd.DataFrame, offline: Predictions) -> None:
    """Vectors in the model's order get bit-equal probabilities, and labels instead of indices."""
    answer = api.predict(rows.to_numpy().tolist()).json()

    assert answer["predictions"] == offline.labels.tolist()
    assert set(answer["predictions"]) == {"setosa", "versicolor", "virginica"}
    assert np.array_equal(answer["probabilities"], np.asarray(offline.probabilities))


def test_named_rows_in_any_order_are_answered_as_offline(api: Api, rows: pd.DataFrame, offline: Predictions) -> None:
    """Objects are matched by name, whatever the order of their keys."""
    order = random.Random(0)
    shuffled = [dict(order.sample(list(row.items()), k=4)) for row in rows.to_dict("records")]

    answer = api.predict(shuffled).json()

    assert [list(row) for row in shuffled] != [list(rows.columns)] * 150
    assert answer["predictions"] == offline.labels.tolist()
    assert np.array_equal(answer["probabilities"], np.asarray(offline.probabilities))


def test_csv_is_answered_as_offline(api: Api, rows: pd.DataFrame, offline: Predictions) -> None:
    """A CSV with its columns in another order is returned row by row, with probabilities exact to the last bit."""
    body = rows[rows.columns[::-1]].to_csv(index=False).encode()

    lines = list(csv.DictReader(io.StringIO(api.post_csv(body).text)))

    assert [line["prediction"] for line in lines] == offline.labels.tolist()
    got = [[float(line[f"probability_{name}"]) for name in ("setosa", "versicolor", "virginica")] for line in lines]
    assert np.array_equal(got, np.asarray(offline.probabilities))


def test_one_row_at_a_time_differs_by_no_more_than_the_tolerance(
    api: Api, rows: pd.DataFrame, offline: Predictions
) -> None:
    """Batches of one get the same labels, and the same numbers within the manifest's tolerance."""
    answers = [api.predict([row]).json() for row in rows.to_numpy().tolist()]

    assert [answer["predictions"][0] for answer in answers] == offline.labels.tolist()
    distance = np.abs(np.array([answer["probabilities"][0] for answer in answers]) - offline.probabilities)
    assert distance.max() <= 1e-9
