"""`single_row` predicts one row of a linear program with the same bits as the steps of the program."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from artifacts.runtimes.heads import Linear
from artifacts.runtimes.program import Program
from artifacts.runtimes.single_row import single_row
from artifacts.runtimes.steps import Arithmetic, Chain, Fill, Numbers

RANDOM = np.random.default_rng(0)
MEAN, SCALE = np.array([5.8, 3.0, 3.7, 1.2]), np.array([0.8, 0.4, 1.7, 0.7])
STEP = Chain((Numbers((0, 1, 2, 3), "float64"), Arithmetic(("-", "/"), (MEAN, SCALE))))


def head(classes: int, *, link: str = "softmax") -> Linear:
    """A linear head of random coefficients for four columns."""
    return Linear(link, 0, RANDOM.normal(size=(classes, 4)), RANDOM.normal(size=classes))  # type: ignore[arg-type]  # a link


@given(row=arrays(np.float64, (1, 4), elements=st.floats(-1e99, 1e99)), classes=st.integers(2, 7))
def test_a_single_row_gets_the_bits_of_the_program(row: np.ndarray, classes: int) -> None:
    """Class and probabilities are those of the steps and the head."""
    last = head(classes)
    predict = single_row(STEP, last)
    assert predict is not None
    with np.errstate(all="ignore"):
        expected = last(STEP(row), probabilities=True)

    found, label = predict(row, True), predict(row, False)

    assert found is not None
    assert label is not None
    assert label.probabilities is None
    assert label.values.tolist() == found.values.tolist()
    assert expected.probabilities is not None
    assert found.values.tolist() == expected.values.tolist()
    assert found.probabilities is not None
    assert found.probabilities.tobytes() == expected.probabilities.tobytes()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e101])
def test_a_row_that_may_overflow_is_left_to_the_program(value: float) -> None:
    """Nulls and numbers that could overflow are predicted by the program, which turns numpy's warnings off."""
    predict = single_row(STEP, head(3))
    assert predict is not None

    assert predict(np.array([[1.0, 2.0, value, 4.0]]), True) is None


@pytest.mark.parametrize(
    ("step", "last"),
    [
        (STEP, head(8)),
        (STEP, head(3, link="one-vs-rest")),
        (Chain((Numbers((0, 1, 2, 3), "float32"),)), head(3)),
        (Chain((Numbers((1, 0, 2, 3), "float64"),)), head(3)),
        (Chain((Numbers((0, 1, 2, 3), "float64"), Fill(MEAN))), head(3)),
        (Arithmetic(("-",), (MEAN,)), head(3)),
        (Chain((STEP.steps[0], Arithmetic(("/",), (np.full(4, 1e-300),)))), head(3)),
    ],
)
def test_other_programs_have_no_single_row(step: object, last: Linear) -> None:
    """`single_row` returns None if other operations, other dtypes or an overflow are possible."""
    assert single_row(step, last) is None


def test_a_single_row_gets_the_labels_of_many_rows() -> None:
    """A program uses `single_row` for one row with probabilities, and returns the labels of its steps and head."""
    program = Program(STEP, head(3))
    rows = RANDOM.normal(5, 1, size=(50, 4))

    together = program.predict(rows, probabilities=True)
    each = [program.predict(rows[row : row + 1], probabilities=True) for row in range(50)]
    labels = [program.predict(rows[row : row + 1], probabilities=False) for row in range(50)]

    assert [one.values.item() for one in each] == together.values.tolist() == [one.values.item() for one in labels]
    assert {one.probabilities is None for one in labels} == {True}
