"""The example rows of a manifest, and their predictions."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from artifacts import Predictions
from tests.support.published import ENCODED, MIXED, X, Y, model_of
from train.examples import EXAMPLES, choose, examples_of, invented

CHANCE = np.random.default_rng(0)


@pytest.mark.parametrize(
    "output",
    [
        CHANCE.permutation(np.repeat(["rare", "common", "most"], [40, 60, 900])).astype(object),
        CHANCE.permutation(1000).astype(float).astype(object),
        np.array([True, False] * 500, dtype=object),
    ],
    ids=["texts", "numbers", "booleans"],
)
def test_examples_are_spread_over_the_predictions(output: Any) -> None:
    """Of many rows 32 are kept, with the least and the greatest prediction and every frequent class."""
    table: list[list[Any]] = [list(range(len(output))), [f"row {place}" for place in range(len(output))]]

    places, rows = choose(table, Predictions(output, None))

    assert len(places) == EXAMPLES
    assert rows == [f"row {place}" for place in places]
    assert set(output) <= set(output[places]) or {output.min(), output.max()} <= set(output[places])


def test_few_rows_are_all_examples() -> None:
    """All rows of a small table are examples, in their order."""
    table: list[list[object]] = [[5, 6, 7]]

    assert choose(table, Predictions(np.array(["a", "b", "a"], dtype=object), None)) == table


def test_examples_are_predicted_in_one_call() -> None:
    """The predictions are those of exactly these rows in one call."""
    model, rows = model_of(LogisticRegression().fit(X, Y), X)

    examples = examples_of(model, [column[:3] for column in rows.values()])

    assert examples.instances == tuple(map(tuple, X[:3].to_numpy().tolist()))
    assert examples.predictions == tuple(model.estimator.predict(X[:3]).tolist())
    assert examples.probabilities == tuple(map(tuple, model.estimator.predict_proba(X[:3]).tolist()))


def test_invented_rows_are_reproducible() -> None:
    """Invented rows differ from each other, and are the same in every run."""
    signature = model_of(ENCODED.fit(MIXED, Y), MIXED)[0].signature

    table = invented(signature)

    assert table == invented(signature)
    assert len(set(zip(*table, strict=True))) == EXAMPLES


def test_a_level_without_rows_is_not_invented() -> None:
    """An encoder knows only the texts in the rows, not the other levels of pandas."""
    unseen = MIXED.assign(colour=pd.Categorical(MIXED["colour"], categories=["red", "green", "blue"]))
    model, _ = model_of(ENCODED.fit(unseen, Y), unseen)

    examples = examples_of(model, invented(model.signature))

    assert {row[2] for row in examples.instances} == {"red", "green"}
