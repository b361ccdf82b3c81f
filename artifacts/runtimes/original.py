"""The estimator itself, as it was pickled."""

import io
import re
from collections.abc import Sequence
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from artifacts.answers import NO_CLASS, Told
from artifacts.errors import ArtifactSchema, ArtifactUnloadable, kind_of
from artifacts.runtimes import Runtime
from artifacts.signature import Signature, Table

SKLEARN = "sklearn"


class Estimator(Protocol):
    """What is asked of a model: a class or a number a row. One with `predict_proba` gives a probability a class."""

    def predict(self, X: Any, /) -> NDArray[np.generic]: ...


class Original:
    """Hands an estimator the very container and dtypes that it was fitted on."""

    def __init__(self, estimator: Estimator, signature: Signature, *, classifies: bool) -> None:
        self.estimator = estimator
        self._signature = signature
        self._classifies = classifies

    @property
    def has_probabilities(self) -> bool:
        """Whether the model says how sure it is."""
        return self._classifies and hasattr(self.estimator, "predict_proba")

    @property
    def parts(self) -> Sequence[Runtime]:
        """Itself."""
        return [self]

    def predict(self, table: Table, *, probabilities: bool) -> Told:
        """
        Ask it.

        The class comes from `predict`, never from the largest probability: the two differ for estimators that
        tune their threshold or calibrate after the decision.
        """
        return ask(
            self.estimator,
            self._signature.as_fitted(table),
            classifies=self._classifies,
            probabilities=probabilities and self.has_probabilities,
        )


def ask(estimator: Estimator, data: Any, *, classifies: bool, probabilities: bool) -> Told:
    """Ask an estimator for what it was fitted on: an array, a frame or a series."""
    # What overflows is found in the answer; a warning for each would let callers fill the log.
    try:
        with np.errstate(all="ignore"):
            predicted = estimator.predict(data)
            spread = cast(Any, estimator).predict_proba(data) if probabilities else None
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:
        # A SystemExit would end the server, and not the request.
        raise RuntimeError(f"the model ends what asks it: {kind_of(error)}") from error
    return told_of(estimator, predicted, spread, classifies=classifies)


def told_of(estimator: Estimator, predicted: ArrayLike, spread: ArrayLike | None, *, classifies: bool) -> Told:
    """What an estimator said, its classes by their places."""
    # Some give a column and not a row of them.
    flat = np.asarray(predicted)
    flat = flat.reshape(len(flat))
    if not classifies:
        return Told(flat.astype(np.float64))
    places = _places(cast(Any, estimator).classes_, flat)
    return Told(places, None if spread is None else np.asarray(spread, dtype=np.float64))


def _places(classes: NDArray[np.generic], predicted: NDArray[np.generic]) -> NDArray[np.intp]:
    """Where each class stands; -1 for what is none, such as the `outlier_label` of a neighbours' vote."""
    found = np.minimum(np.searchsorted(classes, predicted), len(classes) - 1)
    return np.where(classes[found] == predicted, found, NO_CLASS)


def unpickle(pickled: bytes, *, file: str) -> Estimator:
    """
    Make the estimator of its bytes, which by now are known to be the published ones.

    Raises:
        ArtifactUnloadable: No model comes out of them.
    """
    import joblib

    try:
        loaded: object = joblib.load(io.BytesIO(pickled))
        can_predict = callable(getattr(loaded, "predict", None))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        # Unpickling runs code, which may raise anything, SystemExit too; the reason's class is all that is passed on.
        raise ArtifactUnloadable(f"{file} cannot be loaded: {kind_of(error)}") from error
    if not can_predict:
        raise ArtifactUnloadable(f"{file} holds a {kind_of(loaded)}, which cannot predict")
    return cast(Estimator, loaded)


def check_columns(estimator: Estimator, signature: Signature) -> None:
    """
    Hold the columns that an estimator was fitted on, as far as it tells, against those of the signature.

    Raises:
        ArtifactSchema: They are others, or in another order.
    """
    try:
        names, width = getattr(estimator, "feature_names_in_", None), getattr(estimator, "n_features_in_", None)
        fitted = None if names is None else _underscored(names)
    except Exception as error:
        # An estimator that was never fitted may say so in its own way.
        raise ArtifactSchema(f"the model does not tell its columns: {kind_of(error)}") from error
    if fitted is not None and fitted != _underscored(signature.names):
        raise ArtifactSchema("the columns of the manifest are not those that the model was fitted on, in their order")
    if width is not None and width != len(signature.columns):
        raise ArtifactSchema(f"the manifest has {len(signature.columns)} columns, and the model was fitted on {width}")


def _underscored(names: Sequence[Any]) -> list[str]:
    """LightGBM keeps names with an underscore for whatever is neither letter nor digit."""
    return [re.sub(r"\W", "_", str(name)) for name in names]
