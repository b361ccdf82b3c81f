"""The one call that turns a fitted estimator into a version in the store."""

import io
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import joblib
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError
from sklearn.base import is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from artifacts import ArtifactSettings, Manifest, Promise, Signature, Store
from artifacts.bundle import answer, as_labels
from artifacts.manifest import Examples, Label, check_name
from train.errors import NotPublishable
from train.isolation import load_elsewhere
from train.profile import profile_column, profile_spread

EXAMPLES = 32
TOLERANCE = 1e-9
_LIBRARIES = ("scikit-learn", "numpy", "scipy", "pandas", "joblib")


def publish(
    estimator: Any,
    X: pd.DataFrame | ArrayLike,
    y: ArrayLike,
    *,
    name: str,
    labels: Sequence[str] | Mapping[Any, str] | None = None,
    promote: bool = True,
    scores: Mapping[str, float] | None = None,
    tolerance: float = TOLERANCE,
    store: Store | None = None,
) -> Manifest:
    """
    Put a fitted classifier into the store as a new version.

    Args:
        estimator: A fitted scikit-learn classifier or Pipeline, as it shall be served.
        X: Shape (rows, columns), the rows that it was fitted on: columns, ranges and examples come from them.
        y: Shape (rows,), the class of each row.
        name: The model's name in the store.
        labels: What callers are told for each class: one text a class in ascending order of the classes,
            or a mapping from class to text. None tells them the class itself.
        promote: Whether the new version becomes the champion.
        scores: What is known of its quality, by name.
        tolerance: How far a probability may differ when the model is asked again.
        store: Where to; by default the store of SEPAL_ARTIFACTS.

    Returns:
        The manifest of the new version.

    Raises:
        NotPublishable: The model or its data is not what a server can answer for; the message says what to do.
        ArtifactError: No store can hold it: its name is none, or what was written does not answer as it did.
    """
    check_name(name)
    _check_estimator(estimator)
    frame = _as_frame(X)
    _check_fits(estimator, frame, y)
    signature = Signature(
        container="frame" if hasattr(estimator, "feature_names_in_") else "array",
        columns=tuple(profile_column(column, frame[column]) for column in frame.columns),
    )
    label_map = _label_map(estimator.classes_, labels)
    pickled = _pickle(estimator)
    promise = _promise(
        task="classification",
        estimator=repr(estimator),
        signature=signature,
        classes=tuple(line.label for line in label_map),
        tolerance=tolerance,
        scores=dict(scores or {}),
        libraries=_libraries(),
        requires=load_elsewhere(pickled),
        examples=_examples(estimator, signature, frame, label_map),
        reference={column: profile_spread(frame[column]) for column in frame.columns},
    )
    store = store or Store(ArtifactSettings().artifacts)
    return store.publish(name, promise, pickled=pickled, labels=label_map, promote=promote)


def _promise(**known: Any) -> Promise:
    try:
        return Promise(**known)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise NotPublishable(f"{first['loc'][0]}: {first['msg']}") from error


def _check_estimator(estimator: Any) -> None:
    kind = type(estimator).__name__
    if isinstance(estimator, type) or not hasattr(estimator, "__sklearn_tags__") or not is_classifier(estimator):
        raise NotPublishable(f"{kind} is not a classifier, and only classifiers with one output can be published")
    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise NotPublishable(f"{kind} is not fitted: call fit first") from error
    if not (hasattr(estimator, "classes_") and hasattr(estimator, "n_features_in_")):
        raise NotPublishable(
            f"{kind} does not tell its classes and its columns: refit a search, drop a pipeline's leading 'passthrough'"
        )
    if not isinstance(estimator.classes_, np.ndarray) or estimator.classes_.ndim != 1:
        raise NotPublishable(f"{kind} has several outputs: publish one model an output")
    if not np.array_equal(estimator.classes_, np.unique(estimator.classes_)):
        raise NotPublishable(f"{kind} has classes that do not ascend, so its answers cannot be matched to them")


def _as_frame(X: pd.DataFrame | ArrayLike) -> pd.DataFrame:
    if not isinstance(X, pd.DataFrame) and np.asarray(X).ndim != 2:
        raise NotPublishable("X is not a table: pass a DataFrame, or a dense array of rows and columns")
    frame = X if isinstance(X, pd.DataFrame) else pd.DataFrame(np.asarray(X)).rename(columns="x{}".format)
    if not all(isinstance(column, str) for column in frame.columns) or not frame.columns.is_unique:
        raise NotPublishable("column names must be texts, each of them once: rename the columns before fitting")
    if not len(frame):
        raise NotPublishable("X has no row: pass the rows that the estimator was fitted on")
    return frame


def _check_fits(estimator: Any, frame: pd.DataFrame, y: ArrayLike) -> None:
    told = np.asarray(y).ravel()
    if len(told) != len(frame):
        raise NotPublishable(f"X has {len(frame)} rows and y has {len(told)}")
    fitted_names = getattr(estimator, "feature_names_in_", None)
    if fitted_names is not None and list(fitted_names) != list(frame.columns):
        raise NotPublishable("the columns of X are not those that the estimator was fitted on, in their order")
    if estimator.n_features_in_ != frame.shape[1]:
        raise NotPublishable(
            f"X has {frame.shape[1]} columns and the estimator was fitted on {estimator.n_features_in_}"
        )
    strange = sorted(set(told.tolist()) - set(estimator.classes_.tolist()), key=repr)
    if strange:
        raise NotPublishable(f"y holds {strange[0]!r}, which is no class of the estimator")


def _label_map(classes: NDArray[np.generic], labels: Sequence[str] | Mapping[Any, str] | None) -> tuple[Label, ...]:
    values = classes.tolist()
    if isinstance(labels, Mapping):
        if set(labels) != set(values):
            raise NotPublishable(f"labels must name exactly the classes {values}")
        texts: list[Any] = [labels[value] for value in values]
    else:
        texts = values if labels is None else list(labels)
    if len(texts) != len(values) or len(set(texts)) != len(texts):
        raise NotPublishable(f"{len(values)} classes need as many different labels, and {len(texts)} were given")
    try:
        return tuple(
            Label.model_validate({"class": value, "label": text}) for value, text in zip(values, texts, strict=True)
        )
    except ValidationError as error:
        raise NotPublishable(
            "classes and labels must be texts, integers or booleans: convert y before fitting"
        ) from error


def _pickle(estimator: Any) -> bytes:
    buffer = io.BytesIO()
    try:
        joblib.dump(estimator, buffer)
    except Exception as error:
        # Pickling asks every object of the model, and any of them may refuse in its own way.
        raise NotPublishable(
            f"the model cannot be pickled ({error}): lambdas and open handles do not travel"
        ) from error
    return buffer.getvalue()


def _examples(estimator: Any, signature: Signature, frame: pd.DataFrame, labels: tuple[Label, ...]) -> Examples:
    """Up to 32 training rows, spread evenly over what the model answers for them, and these answers."""
    data = signature.assemble([frame[column].to_numpy() for column in frame.columns])
    predicted = estimator.predict(data)
    if not np.isin(predicted, estimator.classes_).all():
        raise NotPublishable(f"{type(estimator).__name__} predicts what is none of its classes")
    told = as_labels(labels)[np.searchsorted(estimator.classes_, predicted)]
    order = np.argsort(told.astype(str), kind="stable")
    chosen = np.unique(order[np.linspace(0, len(order) - 1, min(EXAMPLES, len(order))).astype(int)])
    rows = data.iloc[chosen].reset_index(drop=True) if isinstance(data, pd.DataFrame) else data[chosen]
    answers = answer(estimator, as_labels(labels), rows)
    # Column by column: side by side with floats, a large integer would lose its last digits.
    columns = [pd.DataFrame(rows)[column].tolist() for column in pd.DataFrame(rows).columns]
    instances = [[None if pd.isna(value) else value for value in row] for row in zip(*columns, strict=True)]
    return Examples(
        instances=tuple(map(tuple, instances)),
        predictions=tuple(answers.labels.tolist()),
        probabilities=None if answers.probabilities is None else tuple(map(tuple, answers.probabilities.tolist())),
    )


def _libraries() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}
