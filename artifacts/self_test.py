"""The self-test of a loaded version: it must predict its own examples as it did when it was published."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from artifacts.errors import ArtifactSelfTest
from artifacts.signature import Table
from artifacts.text import class_name

if TYPE_CHECKING:
    from artifacts.bundle import Bundle


def self_test(bundle: "Bundle") -> None:
    """
    Predict the examples of a version with each runtime that may execute it.

    Raises:
        ArtifactSelfTest: A label differs, or a number by more than the manifest's tolerance.
    """
    examples = bundle.manifest.examples
    try:
        batch = bundle.manifest.signature.check(list(zip(*examples.instances, strict=True)))
    except ValueError as error:
        raise ArtifactSelfTest("the examples are not rows of the model's columns") from error
    if batch.faults:
        raise ArtifactSelfTest("the examples are not valid values of the model's columns")
    for runtime in bundle.runtime.parts:
        _test(replace(bundle, runtime=runtime), batch.data)


def _test(bundle: "Bundle", table: Table) -> None:
    examples = bundle.manifest.examples
    try:
        predictions = bundle.predict(table, probabilities=examples.probabilities is not None)
    except Exception as error:
        # A third-party estimator may raise anything here; whatever it is, the version cannot be served.
        raise ArtifactSelfTest(f"the model fails on its own examples: {class_name(error)}") from error
    tolerance = bundle.manifest.tolerance
    if bundle.labels is None:
        _compare("predictions", predictions.labels, examples.predictions, tolerance)
    elif predictions.labels.tolist() != list(examples.predictions):
        raise ArtifactSelfTest("the model predicts other labels for its own examples than when it was published")
    if examples.probabilities is not None:
        _compare("probabilities", predictions.probabilities, examples.probabilities, tolerance)


def _compare(what: str, predicted: Any, published: ArrayLike, tolerance: float) -> None:
    try:
        difference = largest_difference(predicted, published)
    except (ValueError, TypeError) as error:
        raise ArtifactSelfTest(f"the {what} of the examples are not a table of numbers") from error
    if not difference <= tolerance:
        raise ArtifactSelfTest(f"the {what} of the examples differ by {difference:g} from the published ones")


def largest_difference(predicted: ArrayLike, published: ArrayLike) -> float:
    """Return the largest difference of two arrays, relative for numbers beyond 1; NaN if their shapes differ."""
    expected, actual = np.asarray(published, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if expected.shape != actual.shape:
        return np.nan
    return float((np.abs(actual - expected) / np.maximum(1.0, np.abs(expected))).max(initial=0.0))
