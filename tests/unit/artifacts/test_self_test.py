"""A model that no longer predicts as it did when it was published is refused."""

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
    """Can be fitted, but raises when it predicts."""

    def predict(self, X: Any) -> Any:
        raise RuntimeError(f"not today, and not for {len(X)} rows")


class Nameless:
    """Does not store which columns it was fitted on."""

    def __init__(self, X: Any) -> None:
        self._fitted = LogisticRegression().fit(X, tiny_models.Y)
        self.classes_ = self._fitted.classes_

    def predict(self, X: Any) -> Any:
        """Predict as the wrapped estimator does."""
        return self._fitted.predict(X)


def test_other_labels_for_the_examples_fail(folder: Path) -> None:
    """A model that predicts other labels than when it was published is not loaded."""
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
    """Last digits may differ on another machine."""
    amend(folder, _nudge(9e-10))

    assert read(folder).manifest.tolerance == 1e-9


@pytest.mark.parametrize("by", [1.1e-9, -1.1e-9, 0.5])
def test_a_probability_beyond_the_tolerance_fails(folder: Path, by: float) -> None:
    """One probability that differs by more than the tolerance fails the self-test."""
    amend(folder, _nudge(by))

    with pytest.raises(ArtifactSelfTest, match="the probabilities of the examples differ by"):
        read(folder)


@pytest.mark.parametrize("scale", [1.0, 1e6, 1e12, 1e100])
def test_the_tolerance_of_large_numbers_is_relative(tmp_path: Path, scale: float) -> None:
    """For large numbers a difference of 1e-9 would be below the precision of floats."""
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
def test_the_largest_difference(got: Any, published: Any, expected: float) -> None:
    """It is relative for numbers beyond 1; arrays of different shapes have none."""
    assert largest_difference(got, published) == pytest.approx(expected, abs=1e-15, nan_ok=True)


@pytest.mark.parametrize(
    ("fitted", "reason"),
    [
        (Moody().fit(tiny_models.X, tiny_models.Y), "RuntimeError"),
        (Nameless(tiny_models.X.assign(extra=1)), "ValueError"),
    ],
    ids=["moody", "other columns"],
)
def test_a_model_that_raises_on_its_examples_fails(folder: Path, fitted: object, reason: str) -> None:
    """Any exception of the estimator fails the self-test."""
    seal(folder, MODEL, tiny_models.pickle(fitted))

    with pytest.raises(ArtifactSelfTest, match=f"fails on its own examples: {reason}"):
        read(folder)


def test_a_regressor_of_several_outputs_fails(regressor: Path) -> None:
    """A model that returns more than one number per row is refused."""
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
def test_inconsistent_examples_fail(folder: Path, field: str, value: object) -> None:
    """Examples of another shape or kind are an ArtifactSelfTest."""
    amend(folder, lambda manifest: manifest["examples"].update({field: value}))

    with pytest.raises(ArtifactSelfTest):
        read(folder)


@pytest.mark.parametrize(
    ("field", "value"),
    [("predictions", []), ("predictions", ["short"] * 6), ("predictions", [1.0]), ("probabilities", [[1.0]] * 6)],
    ids=repr,
)
def test_examples_of_a_regressor_are_numbers(regressor: Path, field: str, value: object) -> None:
    """A regressor whose examples are texts, too few, or have probabilities is refused."""
    amend(regressor, lambda manifest: manifest["examples"].update({field: value}))

    with pytest.raises(ArtifactSelfTest):
        read(regressor)
