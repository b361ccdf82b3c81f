"""Which estimators can be served, and what becomes of those that cannot: refused by name, with advice."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError
from sklearn.base import is_classifier, is_clusterer, is_outlier_detector, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from artifacts.features import features_of
from artifacts.manifest import Label
from artifacts.signature import Container
from train.errors import NotPublishable
from train.rows import Rows

Task: TypeAlias = Literal["classification", "regression"]

_SCOPE = "only classifiers and regressors with one output can be published"


def task_of(estimator: Any) -> Task:
    """
    What a fitted estimator does.

    Raises:
        NotPublishable: It is no fitted classifier or regressor with one output.
    """
    kind = type(estimator).__name__
    if isinstance(estimator, type):
        raise NotPublishable(f"{estimator.__name__} is a class: fit an instance of it, and publish that")
    if not hasattr(estimator, "__sklearn_tags__"):
        raise NotPublishable(f"{kind} is not a fitted scikit-learn estimator, and {_SCOPE}")
    if not (is_classifier(estimator) or is_regressor(estimator)):
        raise NotPublishable(f"{kind} {_unlike(estimator)}")
    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise NotPublishable(f"{kind} is not fitted: call fit first") from error
    if is_regressor(estimator):
        return "regression"
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        raise NotPublishable(f"{kind} does not tell its classes: refit a search, and publish what has classes_")
    if not isinstance(classes, np.ndarray) or classes.ndim != 1:
        raise NotPublishable(f"{kind} has several outputs: publish one model an output")
    if not np.array_equal(classes, np.unique(classes)):
        raise NotPublishable(f"{kind} has classes that do not ascend, so its answers cannot be matched to them")
    return "classification"


def _unlike(estimator: Any) -> str:
    if is_clusterer(estimator):
        return f"is a clusterer, and {_SCOPE}: train a classifier on the clusters that it finds"
    if is_outlier_detector(estimator):
        return f"is an outlier detector, and {_SCOPE}: train a classifier on its answers"
    if hasattr(estimator, "transform"):
        return f"is a transformer, and {_SCOPE}: put it before a model, in a Pipeline"
    return f"is not a classifier or a regressor, and {_SCOPE}"


def container_of(estimator: Any, rows: Rows) -> Container:
    """
    What the estimator was fitted on, as far as it tells.

    Raises:
        NotPublishable: These rows are not it.
    """
    fitted, columns = features_of(estimator), list(rows.frame.columns)
    names, width = fitted.names, fitted.width
    if names is not None and not fitted.are(columns):
        raise NotPublishable(
            "the columns of X are not those that the estimator was fitted on, in their order: "
            f"it was fitted on a DataFrame of {', '.join(map(str, names[:8]))}{', ...' if len(names) > 8 else ''}"
        )
    if width is not None and width != len(columns):
        raise NotPublishable(f"X has {len(columns)} columns and the estimator was fitted on {width}")
    # Fitted on the values of a frame, an estimator knows how many columns there are, and no names.
    return "array" if rows.container == "frame" and names is None and width is not None else rows.container


def check_target(estimator: Any, task: Task, rows: Rows, y: ArrayLike | None) -> None:
    """
    Hold what was to be predicted against the estimator.

    Raises:
        NotPublishable: It has other rows, several outputs or a class that the estimator does not know.
    """
    if y is None:
        return
    told = np.asarray(y)
    if told.ndim > 1 and told.shape[1] > 1:
        raise NotPublishable(f"y has {told.shape[1]} outputs: publish one model an output")
    if told.size != len(rows.frame):
        raise NotPublishable(f"X has {len(rows.frame)} rows and y has {told.size}")
    if nulls := int(pd.isna(told).sum()):
        raise NotPublishable(f"y has {nulls} nulls: leave out the rows that have no target")
    if task == "regression":
        return
    strange = sorted(set(told.ravel().tolist()) - set(estimator.classes_.tolist()), key=repr)
    if strange:
        raise NotPublishable(
            f"y holds {strange[0]!r}, which is no class of the estimator: pass the classes that it learned, or no y"
        )


def labels_of(
    classes: NDArray[np.generic], labels: Sequence[str] | Mapping[Any, str] | None, y: ArrayLike | None = None
) -> tuple[Label, ...]:
    """
    What the caller is told for each class.

    Args:
        classes: Of the estimator.
        labels: As given to `publish`.
        y: What was to be predicted: of pandas' `Int64` and `boolean`, scikit-learn makes classes of floats.

    Raises:
        NotPublishable: The labels are not one a class, or a class is of a kind that JSON cannot keep.
    """
    values = _values(classes, y)
    if isinstance(labels, str):
        raise NotPublishable("labels is one text: pass a list, one text a class")
    if isinstance(labels, Mapping):
        if set(labels) != set(values):
            raise NotPublishable(f"labels must name exactly the classes {values}")
        texts: list[Any] = [labels[value] for value in values]
    else:
        given: Any = values if labels is None else labels
        # An array's own list holds what Python knows.
        texts = given.tolist() if hasattr(given, "tolist") else list(given)
    if len(texts) != len(values):
        raise NotPublishable(f"{len(values)} classes need as many different labels, and {len(texts)} were given")
    try:
        lines = tuple(
            Label.model_validate({"class": value, "label": text}) for value, text in zip(values, texts, strict=True)
        )
    except ValidationError as error:
        raise NotPublishable(
            "classes and labels must be texts, integers or booleans: convert y before fitting; "
            f"one is {_odd(error)}, and if y was Int64 or boolean of pandas, pass y as well"
        ) from error
    # As a CSV tells them: there 1 and "1" are one, and so are true and "true".
    told = {str(line.label).lower() if isinstance(line.label, bool) else str(line.label) for line in lines}
    if len(told) != len(lines):
        raise NotPublishable(f"{len(lines)} classes need as many different labels, and some of {texts} are the same")
    return lines


def _values(classes: NDArray[np.generic], y: ArrayLike | None) -> list[Any]:
    """The classes as y has them: integers and booleans, where scikit-learn made floats of a dtype with nulls."""
    values: list[Any] = classes.tolist()
    is_own = isinstance(getattr(y, "dtype", None), pd.api.extensions.ExtensionDtype)
    if classes.dtype.kind != "f" or not is_own or not all(value.is_integer() for value in values):
        return values
    kinds = set(map(type, np.asarray(y).ravel().tolist()))
    kind = next((kind for kind in (int, bool) if kinds == {kind}), float)
    return [kind(value) for value in values]


def _odd(error: ValidationError) -> str:
    return repr(error.errors(include_url=False)[0]["input"])
