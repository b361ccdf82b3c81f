"""The return values of an estimator are checked before they become predictions."""

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from artifacts.errors import ArtifactUnloadable
from artifacts.predictions import InvalidPredictions
from artifacts.runtimes.sklearn_runtime import SklearnRuntime, check_output, predict_rows, unpickle
from tests.support import tiny_models


class Fixed:
    """Returns the values that its constructor got."""

    classes_ = np.array(["a", "b"])

    def __init__(self, predicted: Any = None, error: BaseException | None = None) -> None:
        self._predicted = predicted
        self._error = error

    def predict(self, X: Any) -> Any:  # noqa: ARG002  # scikit-learn's name
        """Return it, or raise the error."""
        if self._error:
            raise self._error
        return self._predicted


class Outlying(Fixed):
    """Has a label for outliers."""

    outlier_label_ = "none"


def checked(predicted: Any, spread: Any = None, *, estimator: Any = None) -> Any:
    """The predictions for two rows of a classifier."""
    return check_output(estimator or Fixed(), predicted, spread, rows=2, classifies=True)


def test_an_estimator_predicts_as_it_was_fitted() -> None:
    """The runtime passes a frame to the estimator, and returns its classes and probabilities."""
    estimator = LogisticRegression().fit(tiny_models.X, tiny_models.Y)
    runtime = SklearnRuntime(estimator, tiny_models.signature(), classifies=True)

    predictions = runtime.predict(tiny_models.table(), probabilities=True)

    assert (runtime.parts, runtime.has_probabilities) == ([runtime], True)
    assert predictions.values.tolist() == tiny_models.Y
    np.testing.assert_array_equal(predictions.probabilities, estimator.predict_proba(tiny_models.X))


def test_a_regressor_has_no_probabilities() -> None:
    """Its numbers are returned as floats."""
    estimator = LinearRegression().fit(tiny_models.X, tiny_models.WEIGHTS)
    runtime = SklearnRuntime(estimator, tiny_models.signature(), classifies=False)

    predictions = runtime.predict(tiny_models.table(), probabilities=True)

    assert (runtime.has_probabilities, predictions.probabilities) == (False, None)
    np.testing.assert_array_equal(predictions.values, estimator.predict(tiny_models.X))


def test_labels_become_indices_of_classes() -> None:
    """Labels are accepted as a one-dimensional array, as a column, and as objects."""
    assert checked(["b", "a"]).values.tolist() == [1, 0]
    assert checked(np.array([["b"], ["a"]], dtype=object)).values.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("predicted", "reason"),
    [
        (["a"], "shape"),
        (np.ma.masked_array(["a", "b"], [True, False]), "masked"),
        (["a", "c"], "none of the classes"),
        ([0, 1], "dtype"),
        (np.array([0, "a"], dtype=object), "another type"),
    ],
    ids=["shape", "masked", "unknown", "numbers", "mixed"],
)
def test_invalid_labels_are_an_error(predicted: Any, reason: str) -> None:
    """The message says what is wrong with the labels."""
    with pytest.raises(InvalidPredictions, match=reason):
        checked(predicted)


class Numbered(Fixed):
    """Has numbers as classes."""

    classes_ = np.array([0.0, 1.0])


@pytest.mark.parametrize(
    ("estimator", "labels"),
    [(Outlying(), np.array(["a", "none"], dtype=object)), (Numbered(), np.array([1.0, np.nan]))],
    ids=["label for outliers", "NaN"],
)
def test_a_row_without_a_class_is_invalid(estimator: Any, labels: Any) -> None:
    """An outlier or a NaN makes its row invalid, and not the others."""
    assert checked(labels, estimator=estimator).invalid.tolist() == [False, True]


@pytest.mark.parametrize(
    ("spread", "reason"),
    [
        ([[0.5, 0.5]], "shape"),
        ([[0.5, 0.5], [0.9, 0.9]], "sum to 1"),
        ([[0.5, 0.5], [1.5, -0.5]], "between 0 and 1"),
        ([["x", "y"], ["x", "y"]], "not numbers"),
        (np.array([[0.5, "x"], [0.5, 0.5]], dtype=object), "not numbers"),
    ],
    ids=["shape", "sum", "range", "texts", "objects"],
)
def test_invalid_probabilities_are_an_error(spread: Any, reason: str) -> None:
    """The message says what is wrong with the probabilities."""
    with pytest.raises(InvalidPredictions, match=reason):
        checked(["a", "b"], spread)


def test_a_row_of_nan_leaves_the_others_valid() -> None:
    """Probabilities of NaN make their row invalid only."""
    predictions = checked(["a", "b"], [[0.5, 0.5], [np.nan, np.nan]])

    assert predictions.invalid.tolist() == [False, True]


@pytest.mark.parametrize("error", [SystemExit(), GeneratorExit()], ids=repr)
def test_an_estimator_cannot_end_the_process(error: BaseException) -> None:
    """An exception that would end the process becomes an error of the model; other errors are passed on."""
    with pytest.raises(RuntimeError, match="tried to end the process"):
        predict_rows(Fixed(error=error), [[1]], classifies=True, probabilities=False)
    with pytest.raises(KeyError):
        predict_rows(Fixed(error=KeyError()), [[1]], classifies=True, probabilities=False)


def test_a_pickle_without_a_model_is_unloadable() -> None:
    """A missing module is named, and an object that cannot predict is refused."""
    with pytest.raises(ArtifactUnloadable, match="needs the module 'nowhere'"):
        unpickle(b"cnowhere\nNothing\n.", file="model.joblib")
    with pytest.raises(ArtifactUnloadable, match=r"model\.joblib holds a dict, which cannot predict"):
        unpickle(tiny_models.pickle({}), file="model.joblib")
