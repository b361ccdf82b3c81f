"""The example rows of a manifest, with what the model predicts for them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from artifacts.columns import Scalar
from artifacts.manifest import Examples
from artifacts.predictions import Predictions
from artifacts.signature import Signature
from train.errors import NotPublishable
from train.fitted_model import FittedModel
from train.profile import invent

EXAMPLES = 32
# Of a table with many columns fewer examples are kept: as many as have this many values, but at least so many rows.
_EXAMPLE_CELLS = 64_000
_FEWEST_EXAMPLES = 4
_SEED = 0


def choose(columns: Sequence[Sequence[object]], predictions: Predictions) -> list[list[Any]]:
    """Return up to 32 of the rows, spread evenly over what the model predicts for them; one list per column."""
    labels = predictions.labels
    order = np.argsort(labels if isinstance(labels[0], float) else labels.astype(str), kind="stable")
    count = min(_most_examples(len(columns)), len(order))
    chosen = np.unique(order[np.linspace(0, len(order) - 1, count).astype(int)])
    return [[column[row] for row in chosen] for column in columns]


def invented(signature: Signature) -> list[list[Scalar]]:
    """Return rows that are in no table, each value drawn independently from its column; one list per column."""
    draw = np.random.default_rng(_SEED)
    count = _most_examples(len(signature.columns))
    return [[invent(column, draw) for _ in range(count)] for column in signature.columns]


def invented_examples(model: FittedModel) -> Examples:
    """
    Return examples with invented rows.

    Raises:
        NotPublishable: The model cannot predict them.
    """
    try:
        return examples_of(model, invented(model.signature))
    except NotPublishable as error:
        raise NotPublishable(
            f"{error}; these values were invented from the columns: allow examples, or let the pipeline accept any"
        ) from error


def examples_of(model: FittedModel, columns: Sequence[Sequence[Any]]) -> Examples:
    """Return rows with what the model predicts for all of them in one call."""
    predictions = model.predict(columns)
    spread = predictions.probabilities
    return Examples(
        instances=tuple(zip(*columns, strict=True)),
        predictions=tuple(predictions.labels.tolist()),
        probabilities=None if spread is None else tuple(map(tuple, spread.tolist())),
    )


def _most_examples(columns: int) -> int:
    return min(EXAMPLES, max(_FEWEST_EXAMPLES, _EXAMPLE_CELLS // columns))
