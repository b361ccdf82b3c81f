"""Execute the estimator itself, and check what it returns."""

import io
from collections.abc import Sequence
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from artifacts import own_code
from artifacts.errors import ArtifactSchema, ArtifactUnloadable, is_ctrl_c
from artifacts.features import features_of
from artifacts.own_code import OwnCode
from artifacts.predictions import NO_CLASS, PROBABILITY_TOLERANCE, InvalidPredictions, Predictions
from artifacts.runtimes import Runtime
from artifacts.signature import Signature, Table
from artifacts.text import class_name, shorten

SKLEARN = "sklearn"


class Estimator(Protocol):
    """What a model must have: `predict` returns a class or a number per row; `predict_proba`, if any, probabilities."""

    def predict(self, X: Any, /) -> NDArray[np.generic]: ...


class SklearnRuntime:
    """Calls an estimator with the container and the dtypes that it was fitted on."""

    program_rows = 0

    def __init__(
        self, estimator: Estimator, signature: Signature, *, classifies: bool, code: OwnCode | None = None
    ) -> None:
        self.estimator = estimator
        # Kept because the estimator may import modules of its own during a prediction.
        self._code = code
        self._signature = signature
        self._classifies = classifies

    @property
    def has_probabilities(self) -> bool:
        """Whether the model predicts probabilities."""
        return self._classifies and hasattr(self.estimator, "predict_proba")

    @property
    def parts(self) -> Sequence[Runtime]:
        """Itself."""
        return [self]

    def predict(self, table: Table, *, probabilities: bool) -> Predictions:
        """
        Predict a table.

        The class comes from `predict`, never from the largest probability: the two differ for estimators that
        tune their threshold or calibrate after the decision.
        """
        return predict_rows(
            self.estimator,
            self._signature.as_fitted(table),
            classifies=self._classifies,
            probabilities=probabilities and self.has_probabilities,
        )


def predict_rows(estimator: Estimator, data: Any, *, classifies: bool, probabilities: bool) -> Predictions:
    """
    Predict with an estimator and check what it returns.

    Args:
        estimator: The estimator.
        data: Rows as it was fitted on: an array, a frame or a series.
        classifies: Whether it predicts classes.
        probabilities: Whether to call `predict_proba`.

    Raises:
        InvalidPredictions: What it returned is invalid for these rows.
    """
    # Overflows are found in the predictions; warnings would let callers fill the log.
    try:
        with np.errstate(all="ignore"):
            predicted = estimator.predict(data)
            spread = cast(Any, estimator).predict_proba(data) if probabilities else None
    except Exception:
        raise
    except BaseException as error:
        if is_ctrl_c(error):
            raise
        # A SystemExit or KeyboardInterrupt of the model would end the server.
        raise RuntimeError(f"the model tried to end the process: {class_name(error)}") from error
    return check_output(estimator, predicted, spread, rows=len(data), classifies=classifies)


def check_output(
    estimator: Estimator, predicted: object, spread: object, *, rows: int, classifies: bool
) -> Predictions:
    """
    Check what an estimator returned, and replace its classes by their places.

    Args:
        estimator: What returned it.
        predicted: What `predict` returned.
        spread: What `predict_proba` returned; None if it was not called.
        rows: How many rows it was called with.
        classifies: Whether it predicts classes.

    Raises:
        InvalidPredictions: A shape, a dtype, a value or a row sum is wrong.
    """
    returned = _array(predicted, "predict")
    # Some estimators return a column.
    if returned.shape not in {(rows,), (rows, 1)}:
        raise InvalidPredictions(f"predict returned the shape {returned.shape} for {rows} rows")
    flat = returned.reshape(rows)
    if not classifies:
        return Predictions(_numbers(flat, "predict"))
    classes = cast(Any, estimator).classes_
    places = _places(classes, flat)
    if (places == NO_CLASS).any():
        _check_unknown(estimator, flat[places == NO_CLASS])
    if spread is None:
        return Predictions(places)
    probabilities = _numbers(_array(spread, "predict_proba"), "predict_proba")
    if probabilities.shape != (rows, len(classes)):
        raise InvalidPredictions(
            f"predict_proba returned the shape {probabilities.shape} for {rows} rows and {len(classes)} classes"
        )
    if not _are_probabilities(probabilities):
        predictions = Predictions(places, probabilities)
        # Invalid rows are reported later, and the others may be valid.
        if not _are_probabilities(probabilities[~predictions.invalid]):
            raise InvalidPredictions("predict_proba returned rows that are not between 0 and 1 or do not sum to 1")
    return Predictions(places, probabilities)


def _array(returned: object, method: str) -> NDArray[Any]:
    if isinstance(returned, np.ma.MaskedArray) and np.ma.is_masked(returned):
        raise InvalidPredictions(f"{method} returned masked values")
    try:
        return np.asarray(returned)
    except Exception as error:
        # An object of another library may raise anything here.
        raise InvalidPredictions(f"{method} returned a {class_name(returned)}, which is not an array") from error


def _numbers(returned: NDArray[Any], method: str) -> NDArray[np.float64]:
    if returned.dtype.kind == "O":
        returned = _native(returned, method)
    if returned.dtype.kind not in "fiub":
        raise InvalidPredictions(f"{method} returned values of dtype {returned.dtype}, which are not numbers")
    return returned.astype(np.float64, copy=False)


def _native(returned: NDArray[Any], method: str) -> NDArray[Any]:
    """Convert an array of objects to the dtype of its values."""
    try:
        return np.array(returned.tolist())
    except Exception as error:
        raise InvalidPredictions(f"{method} returned objects that are not numbers") from error


def _places(classes: NDArray[np.generic], predicted: NDArray[Any]) -> NDArray[np.intp]:
    """Return the index of each class; -1 for other labels, such as the `outlier_label` of a neighbours' vote."""
    kinds = {_kind(classes), _kind(predicted)} - {"object"}
    if len(kinds) > 1 or kinds - {"number", "text"}:
        raise InvalidPredictions(f"predict returned labels of dtype {predicted.dtype}, the classes are {classes.dtype}")
    try:
        found = np.minimum(np.searchsorted(classes, predicted), len(classes) - 1)
        return np.where(classes[found] == predicted, found, NO_CLASS)
    except Exception as error:
        # Objects that cannot be compared with the classes raise anything.
        raise InvalidPredictions("predict returned labels of another type than the classes") from error


def _kind(values: NDArray[Any]) -> str:
    kinds = {"b": "number", "i": "number", "u": "number", "f": "number", "U": "text", "T": "text", "O": "object"}
    return kinds.get(values.dtype.kind, "other")


def _check_unknown(estimator: Estimator, labels: NDArray[Any]) -> None:
    """Check labels that are not classes: NaN and outlier labels make the row invalid; others are an error."""
    steps = getattr(estimator, "steps", None)
    last = steps[-1][1] if steps else estimator
    if hasattr(last, "outlier_label_"):
        return
    if any(label == label for label in labels.tolist()):  # noqa: PLR0124  # NaN alone is not equal to itself
        raise InvalidPredictions("predict returned labels that are none of the classes")


def _are_probabilities(rows: NDArray[np.float64]) -> bool:
    """Return whether every row consists of numbers from 0 to 1 that sum to 1; false for a NaN."""
    if not rows.size:
        return True
    least, most = rows.min(), rows.max()
    if not (least >= -PROBABILITY_TOLERANCE and most <= 1 + PROBABILITY_TOLERANCE):
        return False
    sums = rows.sum(axis=1)
    return bool(max(sums.max() - 1, 1 - sums.min()) <= PROBABILITY_TOLERANCE)


def unpickle(pickled: bytes, *, file: str, code: OwnCode | None = None) -> Estimator:
    """
    Unpickle an estimator, whose bytes must have been verified.

    Args:
        pickled: What joblib wrote.
        file: Its name for error messages.
        code: The modules that travel with the version; None if it has none.

    Raises:
        ArtifactUnloadable: It cannot be unpickled, or has no `predict`.
    """
    import joblib

    try:
        loaded = own_code.unpickle(pickled, code.module_of) if code else joblib.load(io.BytesIO(pickled))
        can_predict = callable(getattr(loaded, "predict", None))
    except BaseException as error:
        if is_ctrl_c(error):
            raise
        # Unpickling runs code, which may raise anything, SystemExit too; only the class of the error is reported.
        raise ArtifactUnloadable(f"{file} cannot be loaded: {_reason(error)}") from error
    if not can_predict:
        raise ArtifactUnloadable(f"{file} holds a {class_name(loaded)}, which cannot predict")
    return cast(Estimator, loaded)


def _reason(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"{class_name(error)}: it needs the module '{shorten(error.name)}', which is not installed"
    return class_name(error)


def check_columns(estimator: Estimator, signature: Signature) -> None:
    """
    Compare the columns that an estimator was fitted on, as far as it knows them, with those of the signature.

    Raises:
        ArtifactSchema: They are others, or in another order.
    """
    try:
        fitted = features_of(estimator)
    except Exception as error:
        # An estimator that was never fitted may raise anything.
        raise ArtifactSchema(f"the columns of the model cannot be read: {class_name(error)}") from error
    if not fitted.match(signature.names):
        raise ArtifactSchema("the columns of the manifest are not those that the model was fitted on, in their order")
    width, there = fitted.width, len(signature.columns)
    if width is not None and width != there:
        raise ArtifactSchema(f"the manifest has {there} columns, and the model was fitted on {width}")
