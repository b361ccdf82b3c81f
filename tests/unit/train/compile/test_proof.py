"""The proof of parity: which programs it accepts, and the reasons for which it refuses others."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from artifacts.runtimes.program import Program
from tests.support.compiled_models import HOLED, NUMBERS, TREES, TWO, Case, case
from train.compile import thresholds
from train.compile.compiling import as_table
from train.compile.models import Lowered, lower
from train.compile.proof import Proof
from train.compile.sources import Source

# As `compile_model` does: steps of a pipeline that was fitted on a frame are called with arrays.
pytestmark = pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")

LINE = case("line", LogisticRegression)
CATEGORIES = next(one for one in TREES if one.name == "histograms of categories")


def proof_of(one: Case, *, tolerance: float = 1e-9) -> tuple[Proof, Program, Lowered]:
    """Return the proof of a model, and its program."""
    model, rows = one.model()
    lowered = lower(model.estimator, Source.of(model.signature), "trees")
    proof = Proof(model, as_table(model.signature, rows), tolerance=tolerance)
    return proof, Program(lowered.source.step, lowered.head), lowered


@pytest.mark.parametrize(
    "one",
    [
        LINE,
        case("boosting", lambda: GradientBoostingClassifier(n_estimators=2)),
        case("nulls", lambda: HistGradientBoostingClassifier(max_iter=2), HOLED),
        CATEGORIES,
    ],
    ids=lambda one: one.name,
)
def test_an_equal_program_is_accepted(one: Case) -> None:
    """It is compared on thousands of rows, and again with the same result."""
    proof, program, lowered = proof_of(one)

    first, second = (proof.compare(program, lowered.trees) for _ in range(2))

    assert first == second
    assert first[0].rows > 2_000
    assert (first[0].disagreements, first[1]) == (0, "")


def test_a_program_that_differs_is_refused() -> None:
    """The reason has the number of rows, the largest difference and the tolerance."""
    proof, program, _ = proof_of(LINE)
    head = replace(program.head, intercept=program.head.intercept + 1e-3)

    parity, reason = proof.compare(Program(program.step, head), ())

    assert parity.disagreements > 1_000
    assert "rows got another prediction; numbers differ by up to" in reason
    assert "(tolerance 1e-09)" in reason


def test_a_difference_within_the_tolerance_is_accepted() -> None:
    """A publisher who permits a difference gets the program."""
    proof, program, _ = proof_of(LINE, tolerance=1e-2)
    head = replace(program.head, coefficients=program.head.coefficients * (1 + 1e-9))

    assert proof.compare(Program(program.step, head), ())[1] == ""


def test_classes_without_probabilities_have_no_difference_of_numbers() -> None:
    """The reason has only the number of rows."""
    proof, program, _ = proof_of(case("support vectors", LinearSVC))
    head = replace(program.head, intercept=-program.head.intercept - 1)

    assert proof.compare(Program(program.step, head), ())[1].endswith("rows got another prediction")


def test_a_program_with_other_outputs_is_refused() -> None:
    """Program and estimator must both have probabilities, or neither."""
    proof, program, _ = proof_of(LINE)
    head = replace(program.head, link="decision")

    parity, reason = proof.compare(Program(program.step, head), ())

    assert (parity.rows, reason) == (0, "only one of program and estimator has probabilities")


def test_a_wrong_threshold_is_found() -> None:
    """A threshold that is one unit off is found by the rows at the thresholds."""
    proof, program, lowered = proof_of(case("trees", lambda: HistGradientBoostingClassifier(max_iter=1), NUMBERS, TWO))
    nodes: Any = program.head.nodes.copy()
    nodes["num_threshold"][0] = np.nextafter(nodes["num_threshold"][0], -np.inf)

    parity, reason = proof.compare(Program(program.step, replace(program.head, nodes=nodes)), lowered.trees)

    assert parity.disagreements > 0
    assert "another prediction" in reason


def test_too_many_splits_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model whose splits cannot all be tried is refused, with their number."""
    monkeypatch.setattr(thresholds, "MOST_SPLITS", 2)
    proof, program, lowered = proof_of(CATEGORIES)

    assert "splits, and at most 2 can be proved" in proof.compare(program, lowered.trees)[1]
