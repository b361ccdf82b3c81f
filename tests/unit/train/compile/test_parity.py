"""Comparing a program with its estimator: what is equal, and what is a disagreement."""

from functools import partial
from typing import Any

import numpy as np
import pytest

from artifacts.predictions import Predictions
from train.compile.parity import Parity, ParityCase, Predict

ROWS = np.arange(4.0)


def numbers(*values: float) -> Predict:
    """Return a regressor that predicts these numbers for the rows 0, 1, 2 and 3."""
    return lambda rows: Predictions(np.array(values)[rows.astype(int)])


def classes(places: list[int], second: list[float]) -> Predict:
    """Return a classifier of two classes: the class of each row, and the probability of the second class."""
    spread = np.array([[1 - share, share] for share in second])
    return lambda rows: Predictions(np.array(places)[rows.astype(int)], spread[rows.astype(int)])


def _classes_only(places: list[int], rows: Any) -> Predictions:
    return Predictions(np.array(places)[rows.astype(int)])


def refuses(predict: Predict, row: float) -> Predict:
    """Return the same, but fail for a batch with this row."""

    def refusing(rows: Any) -> Predictions:
        if row in rows:
            raise ValueError("no such row")
        return predict(rows)

    return refusing


def parity(expected: Predict, got: Predict, *, batch: int = 4) -> Parity:
    """Compare both for four rows, with a tolerance of 1e-6."""
    return ParityCase.of(expected, ROWS, batch=batch).compare(got, tolerance=1e-6)


@pytest.mark.parametrize(
    ("got", "disagreements", "largest"),
    [(1.0, 0, 0.0), (1.0 + 5e-7, 0, 5e-7), (1.0 + 1e-5, 1, 1e-5), (np.nan, 1, 0.0), (np.inf, 1, 0.0)],
)
def test_a_number_may_differ_by_the_tolerance(got: float, disagreements: int, largest: float) -> None:
    """A number beyond the tolerance is a disagreement, and so is one that is not finite; the difference is reported."""
    found = parity(numbers(1, 2, 3, 4), numbers(got, 2, 3, 4))

    assert (found.rows, found.disagreements) == (4, disagreements)
    assert found.largest == pytest.approx(largest, rel=1e-6)


def test_large_numbers_differ_relative_to_their_size() -> None:
    """The tolerance is relative for numbers beyond 1."""
    assert parity(numbers(1e9, 0, 0, 0), numbers(1e9 + 100, 0, 0, 0)) == Parity(4, 0, 1e-7)
    assert parity(numbers(1e9, 0, 0, 0), numbers(1e9 + 1e5, 0, 0, 0)).disagreements == 1


def test_two_missing_numbers_are_equal() -> None:
    """NaN agrees with NaN, and infinity with the same infinity."""
    odd = numbers(np.nan, np.inf, -np.inf, 0)

    assert parity(odd, odd) == Parity(4, 0, 0.0)


def test_another_class_is_a_disagreement_however_close_the_tie() -> None:
    """A program must resolve ties as its estimator does: equal probabilities excuse no other class."""
    found = parity(classes([0, 1, 0, 1], [0.5] * 4), classes([0, 1, 1, 1], [0.5] * 4))

    assert found == Parity(4, 1, 0.0)


def test_probabilities_may_differ_by_the_tolerance() -> None:
    """With the same classes, a row disagrees if one of its probabilities is beyond the tolerance."""
    found = parity(classes([1] * 4, [0.9] * 4), classes([1] * 4, [0.9, 0.9 + 5e-7, 0.8, 0.7]))

    assert (found.rows, found.disagreements) == (4, 2)
    assert found.largest == pytest.approx(0.2)


def test_classes_without_probabilities_are_compared_exactly() -> None:
    """Of classes without probabilities there is no largest difference."""
    some, others = (partial(_classes_only, [0, second, 1, -1]) for second in (0, 2))

    assert parity(some, some) == Parity(4, 0, 0.0)
    assert parity(some, others) == Parity(4, 1, 0.0)


@pytest.mark.parametrize("batch", [1, 2, 4])
@pytest.mark.parametrize(
    "predict", [numbers(1, 2, 3, 4), classes([0, 1, 0, 1], [0.2, 0.8] * 2)], ids=["numbers", "classes"]
)
def test_a_program_must_refuse_what_its_estimator_refuses(predict: Predict, batch: int) -> None:
    """A row that both refuse agrees; one that only the estimator or only the program refuses does not."""
    assert parity(refuses(predict, 2), refuses(predict, 2), batch=batch) == Parity(4, 0, 0.0)
    assert parity(refuses(predict, 2), predict, batch=batch).disagreements == 1
    assert parity(predict, refuses(predict, 2), batch=batch).disagreements == batch


def test_a_whole_batch_that_is_refused_has_no_probabilities() -> None:
    """If the estimator refuses all rows, a program that predicts some of them disagrees."""

    def never(_: Any) -> Predictions:
        raise ValueError("never")

    assert parity(never, never) == Parity(4, 0, 0.0)
    assert parity(never, classes([0] * 4, [0.2] * 4)).disagreements == 4


def test_results_are_added() -> None:
    """Rows and disagreements are summed, and the largest difference is that of all."""
    assert Parity(1, 1, 0.5) + Parity(2, 0, 0.25) == Parity(3, 1, 0.5)


def test_batches_are_predicted_separately() -> None:
    """The estimator and the program get the same batches."""
    sizes = []

    def counting(rows: Any) -> Predictions:
        sizes.append(len(rows))
        return numbers(1, 2, 3, 4)(rows)

    assert parity(counting, counting, batch=3).rows == 4
    assert sizes == [3, 1, 3, 1]
