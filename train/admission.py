"""Which estimators can be served; others are refused with the reason and advice."""

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
    Return the task of a fitted estimator.

    Raises:
        NotPublishable: It is not a fitted classifier or regressor with one output.
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
        raise NotPublishable(f"{kind} has no classes_: if it is a search, set refit=True")
    if not isinstance(classes, np.ndarray) or classes.ndim != 1:
        raise NotPublishable(f"{kind} has several outputs: publish one model per output")
    if not np.array_equal(classes, np.unique(classes)):
        raise NotPublishable(
            f"{kind} has classes_ that are not in ascending order, so its predictions cannot be matched to them"
        )
    return "classification"


def _unlike(estimator: Any) -> str:
    if is_clusterer(estimator):
        return f"is a clusterer, and {_SCOPE}: train a classifier on its clusters"
    if is_outlier_detector(estimator):
        return f"is an outlier detector, and {_SCOPE}: train a classifier on its predictions"
    if hasattr(estimator, "transform"):
        return f"is a transformer, and {_SCOPE}: put it in a Pipeline, before a model"
    return f"is not a classifier or a regressor, and {_SCOPE}"


def container_of(estimator: Any, rows: Rows) -> Container:
    """
    Return the container that the estimator was fitted on, as far as it is known.

    Raises:
        NotPublishable: The rows have other columns.
    """
    fitted, columns = features_of(estimator), list(rows.frame.columns)
    names, width = fitted.names, fitted.width
    if names is not None and not fitted.match(columns):
        raise NotPublishable(
            "the columns of X must be those that the estimator was fitted on, in the same order: "
            f"it was fitted on a DataFrame of {', '.join(map(str, names[:8]))}{', ...' if len(names) > 8 else ''}"
        )
    if width is not None and width != len(columns):
        raise NotPublishable(f"X has {len(columns)} columns and the estimator was fitted on {width}")
    # An estimator that was fitted on the values of a frame knows the number of columns, but no names.
    return "array" if rows.container == "frame" and names is None and width is not None else rows.container


def check_target(estimator: Any, task: Task, rows: Rows, y: ArrayLike | None) -> None:
    """
    Check that a target fits the estimator and its rows.

    Raises:
        NotPublishable: It differs in length, has several outputs or a class that the estimator does not know.
    """
    if y is None:
        return
    target = np.asarray(y)
    if target.ndim > 1 and target.shape[1] > 1:
        raise NotPublishable(f"y has {target.shape[1]} outputs: publish one model per output")
    if target.size != len(rows.frame):
        raise NotPublishable(f"X has {len(rows.frame)} rows and y has {target.size}")
    if nulls := int(pd.isna(target).sum()):
        raise NotPublishable(f"y has {nulls} nulls: remove the rows without a target")
    if task == "regression":
        return
    strange = sorted(set(target.ravel().tolist()) - set(estimator.classes_.tolist()), key=repr)
    if strange:
        raise NotPublishable(
            f"y holds {strange[0]!r}, which is not a class of the estimator: pass the y that it was fitted on, or none"
        )


def labels_of(
    classes: NDArray[np.generic], labels: Sequence[str] | Mapping[Any, str] | None, y: ArrayLike | None = None
) -> tuple[Label, ...]:
    """
    Return the label that callers get for each class.

    Args:
        classes: Of the estimator.
        labels: As passed to `publish`.
        y: The target: for pandas' `Int64` and `boolean`, scikit-learn has classes that are floats.

    Raises:
        NotPublishable: There is not one label per class, or JSON cannot represent a class.
    """
    values = _values(classes, y)
    if isinstance(labels, str):
        raise NotPublishable("labels must be a list of one text per class, and is a text")
    if isinstance(labels, Mapping):
        if set(labels) != set(values):
            raise NotPublishable(f"labels must name exactly the classes {values}")
        texts: list[Any] = [labels[value] for value in values]
    else:
        given: Any = values if labels is None else labels
        # The list of an array holds native values.
        texts = given.tolist() if hasattr(given, "tolist") else list(given)
    if len(texts) != len(values):
        raise NotPublishable(f"{len(values)} classes need as many labels, and there are {len(texts)}")
    try:
        lines = tuple(
            Label.model_validate({"class": value, "label": text}) for value, text in zip(values, texts, strict=True)
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]["input"]
        raise NotPublishable(
            "classes and labels must be texts, integers or booleans: convert y before fitting; "
            f"one is {first!r}, and if y was Int64 or boolean of pandas, pass y as well"
        ) from error
    # As a CSV has them: there 1 and "1" are equal, and so are true and "true".
    cells = {str(line.label).lower() if isinstance(line.label, bool) else str(line.label) for line in lines}
    if len(cells) != len(lines):
        raise NotPublishable(f"{len(lines)} classes need as many distinct labels, and some of {texts} are the same")
    return lines


def _values(classes: NDArray[np.generic], y: ArrayLike | None) -> list[Any]:
    """Return the classes as y has them: integers and booleans, where scikit-learn made floats of a nullable dtype."""
    values: list[Any] = classes.tolist()
    is_own = isinstance(getattr(y, "dtype", None), pd.api.extensions.ExtensionDtype)
    if classes.dtype.kind != "f" or not is_own or not all(value.is_integer() for value in values):
        return values
    kinds = set(map(type, np.asarray(y).ravel().tolist()))
    kind = next((kind for kind in (int, bool) if kinds == {kind}), float)
    return [kind(value) for value in values]
