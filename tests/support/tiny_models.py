"""Models small enough to be published a thousand times, and their promises."""

import io
from dataclasses import dataclass
from platform import python_version
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression, LogisticRegression

from artifacts import Column, Manifest, Promise, Signature, Store
from artifacts.manifest import Distribution, Examples, Label
from artifacts.predictions import Predictions, label_map
from artifacts.runtimes.sklearn_runtime import predict_rows
from artifacts.signature import Table
from artifacts.version_folder import Content
from serve.dialects.native.limits import Limits

X = pd.DataFrame({"length": [0.5, 1.0, 1.5, 5.0, 5.5, 6.0], "leaves": [1, 2, 3, 7, 8, 9]})
Y = [0, 0, 0, 1, 1, 1]
WEIGHTS = [2.5, 4.5, 6.0, 40.0, 44.0, 50.5]

# Of requests that a test decodes without a server.
LIMITS = Limits(max_depth=32, max_rows=40, max_columns=64, max_digits=20, max_errors=20, show_values=False)


class Fickle(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
    """Returns other probabilities at every call."""

    def predict_proba(self, X: Any) -> Any:
        other = super().predict_proba(X) + np.random.default_rng().uniform(0.01, 0.02, size=(len(X), 2))
        return other / other.sum(axis=1, keepdims=True)


@dataclass(frozen=True, slots=True)
class Tiny:
    """A fitted model with everything that `Store.publish` needs."""

    promise: Promise
    pickled: bytes
    labels: tuple[Label, ...]

    def publish(self, store: Store, *, model: str = "tiny", promote: bool = True) -> Manifest:
        """Publish it as the next version."""
        return store.publish(model, self.content, promote=promote)

    @property
    def content(self) -> Content:
        """The content of a version."""
        return Content(self.promise, self.pickled, self.labels)


def make(*, labels: tuple[Any, Any] = ("short", "long"), estimator: Any = None, **promised: Any) -> Tiny:
    """Return a classifier of two columns, six rows and two classes; keyword arguments replace fields of the promise."""
    estimator = (estimator or LogisticRegression()).fit(X, Y)
    lines = tuple(Label.model_validate({"class": value, "label": label}) for value, label in enumerate(labels))
    return _made(estimator, lines, task="classification", **promised)


def make_regressor(*, scale: float = 1.0, estimator: Any = None, **promised: Any) -> Tiny:
    """Return a regressor of the same columns and rows, whose numbers have the given scale."""
    estimator = (estimator or LinearRegression()).fit(X, np.array(WEIGHTS) * scale)
    return _made(estimator, (), task="regression", **promised)


def _made(estimator: Any, lines: tuple[Label, ...], *, task: Any, **promised: Any) -> Tiny:
    predicted = predict_rows(
        estimator, X, classifies=bool(lines), probabilities=bool(lines) and hasattr(estimator, "predict_proba")
    )
    answers = Predictions(predicted.values, predicted.probabilities, label_map([line.label for line in lines]))
    promise = Promise(
        task=task,
        estimator=repr(estimator),
        signature=signature(),
        classes=tuple(line.label for line in lines),
        tolerance=1e-9,
        scores={"accuracy": 1.0},
        libraries={"python": python_version()},
        requires=("scikit-learn==1.9",),
        examples=Examples(
            instances=tuple(zip(X["length"].tolist(), X["leaves"].tolist(), strict=True)),
            predictions=tuple(answers.labels.tolist()),
            probabilities=None if answers.probabilities is None else tuple(map(tuple, answers.probabilities.tolist())),
        ),
        reference={"length": Distribution(edges=(2.0,), counts=(3, 3), nulls=0)},
    )
    return Tiny(promise.model_copy(update=promised), pickle(estimator), lines)


def signature() -> Signature:
    """Return the signature of a frame with a length and a count."""
    return Signature(container="frame", columns=(column("length", "float64"), column("leaves", "int64")))


def table() -> Table:
    """Return the six rows as a runtime gets them."""
    return signature().table([X["length"].to_numpy(), X["leaves"].to_numpy()])


def column(name: str, dtype: str, *, nullable: bool = False) -> Column:
    """Return a column of a numeric numpy dtype."""
    kind = "float" if np.dtype(dtype).kind == "f" else "integer"
    fields = {"minimum": 1, "maximum": 9, "example": 2}
    return Column.model_validate({"name": name, "kind": kind, "dtype": dtype, "nullable": nullable, **fields})


def pickle(model: object) -> bytes:
    """Return an object as the bytes of a model.joblib."""
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    return buffer.getvalue()
