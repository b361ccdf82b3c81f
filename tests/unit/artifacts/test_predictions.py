"""Predictions: labels, valid and invalid rows, and parts of them."""

from typing import Any

import numpy as np
import pytest

from artifacts.predictions import NO_CLASS, Predictions, label_map
from artifacts.values import Fault

LABELS = label_map(["short", "long"])


def classes(*values: int, probabilities: Any = None) -> Predictions:
    """Return predictions of a classifier."""
    return Predictions(np.array(values), probabilities, LABELS)


def test_labels_are_those_of_the_classes() -> None:
    """A row without a class has None, as does a row without a finite number."""
    assert classes(1, NO_CLASS, 0).labels.tolist() == ["long", None, "short"]
    assert Predictions(np.array([1.5, np.nan, np.inf])).labels.tolist() == [1.5, None, None]
    assert label_map([]) is None


@pytest.mark.parametrize(("predictions", "invalid"), [
    (classes(1, 0), [False, False]),
    (classes(1, NO_CLASS), [False, True]),
    (classes(1), [False]),
    (classes(NO_CLASS), [True]),
    (classes(1, 0, probabilities=np.array([[0.5, 0.5], [np.nan, 0.5]])), [False, True]),
    (classes(1, probabilities=np.array([[0.5, np.inf]])), [True]),
    (classes(1, probabilities=np.array([[0.5, 0.5]])), [False]),
    (Predictions(np.array([1.5, np.inf])), [False, True]),
    (Predictions(np.array([np.nan])), [True]),
])  # fmt: skip
def test_a_valid_row_has_a_class_or_a_finite_number(predictions: Predictions, invalid: list[bool]) -> None:
    """Its probabilities are finite; a single row is checked on its own path with the same result."""
    assert predictions.invalid.tolist() == invalid
    assert predictions.is_valid is not any(invalid)


def test_a_part_can_be_taken_and_replaced() -> None:
    """A part has no faults; after a part is replaced, the whole keeps its own faults."""
    fault = Fault("no-answer", "why", np.array([1, 2]))
    whole = Predictions(np.array([0, NO_CLASS, NO_CLASS]), np.full((3, 2), np.nan), LABELS, (fault,))

    whole.put(slice(1, 3), classes(1, 0, probabilities=np.array([[0.25, 0.75], [0.75, 0.25]])))
    part = whole[1:3]

    assert (part.labels.tolist(), len(part), part.faults, part.failed) == (["long", "short"], 2, (), 0)
    assert np.asarray(part.probabilities).tolist() == [[0.25, 0.75], [0.75, 0.25]]
    assert whole.failed == 2


def test_parts_of_predictions_without_probabilities_have_none() -> None:
    """A regressor and a call without probabilities have no probabilities in any part."""
    whole = Predictions(np.array([1.5, 2.5]))

    whole.put(np.array([0]), Predictions(np.array([3.5])))

    assert (whole.values.tolist(), whole[:1].probabilities) == ([3.5, 2.5], None)
