"""A model that no longer answers as it did when it was published."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from artifacts.errors import ArtifactSelfTest
from artifacts.self_test import largest_difference
from artifacts.version_folder import MODEL
from tests.support import tiny_models
from tests.support.version_folders import amend, read, seal, write


class Moody(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
    """Can be fitted, but not asked."""

    def predict(self, X: Any) -> Any:
        raise RuntimeError(f"not today, and not for {len(X)} rows")


class Nameless:
    """Does not tell which columns it was fitted on."""

    def __init__(self, X: Any) -> None:
        self._fitted = LogisticRegression().fit(X, tiny_models.Y)
        self.classes_ = self._fitted.classes_

    def predict(self, X: Any) -> Any:
        """As the one inside."""
        return self._fitted.predict(X)


def test_other_labels_for_the_examples_are_found(folder: Path) -> None:
    """A model that decides otherwise than when it was published does not come into service."""
    amend(folder, lambda manifest: manifest["examples"]["predictions"].reverse())

    with pytest.raises(ArtifactSelfTest, match="other labels"):
        read(folder)


def _nudge(by: float) -> Callable[[dict[str, Any]], None]:
    def change(manifest: dict[str, Any]) -> None:
        manifest["examples"]["probabilities"][-1][0] += by

    return change


def _stretch(by: float) -> Callable[[dict[str, Any]], None]:
    def change(manifest: dict[str, Any]) -> None:
        manifest["examples"]["predictions"][-1] *= 1 + by

    return change


def test_a_probability_within_the_tolerance_passes(folder: Path) -> None:
    """Another machine's last digits are not another model."""
    amend(folder, _nudge(9e-10))

    assert read(folder).manifest.tolerance == 1e-9


@pytest.mark.parametrize("by", [1.1e-9, -1.1e-9, 0.5])
def test_a_probability_beyond_the_tolerance_is_found(folder: Path, by: float) -> None:
    """One probability of one example that is further off than the tolerance stops the version."""
    amend(folder, _nudge(by))

    with pytest.raises(ArtifactSelfTest, match="the probabilities of the examples differ by"):
        read(folder)


@pytest.mark.parametrize("scale", [1.0, 1e6, 1e12, 1e100])
def test_a_large_number_has_its_tolerance_in_parts_of_its_size(tmp_path: Path, scale: float) -> None:
    """A sum of money may differ in its last digits, where a difference of 1e-9 would be below what floats hold."""
    folder = write(tmp_path / "1", tiny_models.make_regressor(scale=scale))
    amend(folder, _stretch(9e-10))

    assert read(folder).manifest.tolerance == 1e-9

    amend(folder, _stretch(3e-9))
    with pytest.raises(ArtifactSelfTest, match="the predictions of the examples differ by"):
        read(folder)


@pytest.mark.parametrize(
    ("got", "published", "expected"),
    [
        ([0.5, 1.0], [0.5, 1.0], 0.0),
        ([0.25], [0.5], 0.25),
        ([2e12], [1e12], 1.0),
        ([-3e12], [-2e12], 0.5),
        ([1e-12], [0.0], 1e-12),
        ([[0.5, 0.5]], [[0.5, 0.75]], 0.25),
        ([], [], 0.0),
        ([1.0], [1.0, 1.0], np.nan),
        ([[1.0]], [1.0], np.nan),
        ([np.nan], [1.0], np.nan),
        (None, [1.0], np.nan),
    ],
    ids=repr,
)
def test_the_distance_of_two_answers(got: Any, published: Any, expected: float) -> None:
    """It is the largest difference, beyond 1 in parts of what was published; other shapes have none."""
    assert largest_difference(got, published) == pytest.approx(expected, abs=1e-15, nan_ok=True)


@pytest.mark.parametrize(
    ("fitted", "reason"),
    [
        (Moody().fit(tiny_models.X, tiny_models.Y), "RuntimeError"),
        (Nameless(tiny_models.X.assign(extra=1)), "ValueError"),
    ],
    ids=["moody", "other columns"],
)
def test_a_model_that_fails_on_its_examples_is_found(folder: Path, fitted: object, reason: str) -> None:
    """An estimator that raises on its own examples stops the version, whatever it raises."""
    seal(folder, MODEL, tiny_models.pickle(fitted))

    with pytest.raises(ArtifactSelfTest, match=f"fails on its own examples: {reason}"):
        read(folder)


def test_a_regressor_of_several_outputs_is_found(regressor: Path) -> None:
    """A model that gives more than one number a row is not the one that was published."""
    seal(regressor, MODEL, tiny_models.pickle(LinearRegression().fit(tiny_models.X, np.eye(6, 2))))

    with pytest.raises(ArtifactSelfTest, match="fails on its own examples: InvalidPredictions"):
        read(regressor)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("instances", []),
        ("instances", [[1.0]]),
        ("instances", [[1.0, 2], [1.0]]),
        ("instances", [["a", 2]] * 6),
        ("instances", [[1.0, None]] * 6),
        ("predictions", []),
        ("probabilities", []),
        ("probabilities", [[0.5, 0.5], [1.0]]),
        ("probabilities", [[0.2, 0.3, 0.5]] * 6),
        ("probabilities", [[]]),
        ("probabilities", [[0.5]]),
    ],
    ids=repr,
)
def test_examples_that_do_not_hang_together_are_found(folder: Path, field: str, value: object) -> None:
    """Examples of another shape or kind are a failed self-test, never an error without a name."""
    amend(folder, lambda manifest: manifest["examples"].update({field: value}))

    with pytest.raises(ArtifactSelfTest):
        read(folder)


@pytest.mark.parametrize(
    ("field", "value"),
    [("predictions", []), ("predictions", ["short"] * 6), ("predictions", [1.0]), ("probabilities", [[1.0]] * 6)],
    ids=repr,
)
def test_examples_of_a_regressor_are_numbers(regressor: Path, field: str, value: object) -> None:
    """A regressor whose examples are texts, too few, or have probabilities is refused by its self-test as well."""
    amend(regressor, lambda manifest: manifest["examples"].update({field: value}))

    with pytest.raises(ArtifactSelfTest):
        read(regressor)
