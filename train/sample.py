"""A sample of rows for an estimator that was fitted elsewhere, cast to what it was fitted on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from artifacts.features import Features, features_of, first_step
from artifacts.frames import Fitted
from train.admission import task_of
from train.errors import ColumnMissing, NotPublishable
from train.evaluate import evaluate
from train.known_values import brief, cast_sample, known_values_of
from train.tables import Table, column_kind
from train.targets import restored

_MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class Sample:
    """
    Rows like those that an estimator was fitted on.

    Attributes:
        data: In the container and dtypes that the estimator was fitted on, as far as it knows them.
        columns: The names of an array's columns.
        y: The target, in the type of the estimator's classes; None if it is not known.
        categories: By column, the values that the estimator knows, whether or not the sample has them.
    """

    data: Fitted
    columns: list[str] | None = None
    y: "pd.Series[Any] | None" = None
    categories: Mapping[str, Sequence[Any]] = field(default_factory=dict)


def sample_of(
    estimator: Any, table: Table, *, target: str | None = None, dtypes: Mapping[str, str] | None = None
) -> Sample:
    """
    Cast the rows of a table to what an estimator was fitted on; rows without a target are left out.

    Args:
        estimator: Fitted.
        table: The sample.
        target: The target column.
        dtypes: By column, the dtype of pandas to cast it to; other columns are cast to what the estimator knows.

    Raises:
        ColumnMissing: The table lacks a column of the estimator.
        NotPublishable: A column cannot be cast, the target is not what the estimator predicts, or it cannot predict a
            row.
    """
    dtypes = dtypes or {}
    table.require(*dtypes)
    if target is None:
        sample, frame = _sample(estimator, table, table.frame, dtypes), table.frame
    else:
        table.require(target)
        frame = table.frame.dropna(subset=[target])
        if frame.empty:
            raise NotPublishable(f"{table.source} has no row with a {target!r}: omit --target, or name another column")
        y = _as_predicted(estimator, restored(frame[target]))
        frame = frame.drop(columns=target)
        sample = replace(_sample(estimator, table, frame, dtypes), y=y)
    _require_predictions(estimator, sample.data, frame, table.source)
    return sample


def scores(estimator: Any, sample: Sample) -> dict[str, float]:
    """Return scores on the sample, with a prefix that keeps them apart from scores on held-back rows."""
    if sample.y is None:
        return {}
    try:
        found = evaluate(estimator, task_of(estimator), sample.data, sample.y).scores
    except Exception as error:
        # Scores call more than `predict`, and a model of another library may raise anything.
        raise NotPublishable(f"the model cannot be scored on the sample: {brief(error)}; omit --target") from error
    return {f"sample_{name}": score for name, score in found.items()}


def _sample(estimator: Any, table: Table, frame: pd.DataFrame, dtypes: Mapping[str, str]) -> Sample:
    fitted = features_of(estimator)
    width = fitted.width
    if fitted.names is not None:
        values = known_values_of(estimator)
        places = _named(fitted, table, frame)
        known = {column: values[name] for name, column in places.items() if name in values}
        texts = {column: each.known for column, each in known.items() if each.known and each.are_texts}
        return Sample(cast_sample(frame[list(places.values())], known, dtypes, table.source), categories=texts)
    frame = cast_sample(frame, {}, dtypes, table.source, numbers=False)
    if width is None:
        return Sample(_texts(estimator, frame))
    if width != frame.shape[1]:
        raise NotPublishable(
            f"the model was fitted on {width} columns without names, and {table.source} has {frame.shape[1]} "
            f"({', '.join(map(str, frame))}): keep only those that it was fitted on, in their order"
        )
    return Sample(_array(frame), columns=[str(name) for name in frame])


def _named(fitted: Features, table: Table, frame: pd.DataFrame) -> dict[str, str]:
    """Return the column of the frame for each of the estimator's names."""
    columns = [str(name) for name in frame]
    known = fitted.places(columns)
    missing = [name for name in fitted.names or () if name not in known]
    if missing:
        raise ColumnMissing(*missing, columns=columns, source=table.source)
    return known


def _require_predictions(estimator: Any, data: Fitted, frame: pd.DataFrame, source: str) -> None:
    """
    Check that the model can predict all rows.

    Args:
        estimator: Fitted.
        data: The rows, cast to what it was fitted on.
        frame: The rows as they were read.
        source: The file.

    Raises:
        NotPublishable: It fails on some; the message names the first of them.
    """
    error = _failure(estimator, data)
    if error is None:
        return
    start, stop = 0, len(frame)
    while stop - start > 1:
        middle = (start + stop) // 2
        found = _failure(estimator, data[start:middle])
        error, start, stop = (found, start, middle) if found else (error, middle, stop)
    error = _failure(estimator, data[start:stop]) or error
    which = f"row {frame.index[start] + 1} of {source}"
    if len(frame) > 1 and all(_failure(estimator, data[end:][:1]) for end in (len(frame) // 2, len(frame) - 1)):
        which = f"the rows of {source}, such as {which}"
    nulls = [str(name) for name, null in frame.iloc[start].isna().items() if null]
    empty = f", which has no value in {', '.join(map(repr, nulls[:_MOST_NAMED]))}" if nulls else ""
    raise NotPublishable(
        f"the model cannot predict {which}{empty}: {brief(error)}. Remove such rows from the sample; if a column had "
        "another dtype when the model was fitted: --dtype COLUMN=str"
    ) from error


def _failure(estimator: Any, data: Fitted) -> Exception | None:
    try:
        estimator.predict(data)
    except Exception as error:  # noqa: BLE001  # a model of any library may raise anything; the reason is reported
        return error
    return None


def _floats(frame: pd.DataFrame) -> pd.DataFrame:
    """Cast integers to floats: a sample of integers does not show that the model was fitted on integers."""
    return frame.astype({name: float for name in frame if frame[name].dtype.kind in "iu"})


def _array(frame: pd.DataFrame) -> "NDArray[Any]":
    is_numeric = all(values.dtype.kind in "iufb" for _, values in frame.items())
    return frame.to_numpy(dtype=float) if is_numeric else _floats(frame).to_numpy(dtype=object)


def _texts(estimator: Any, frame: pd.DataFrame) -> "pd.DataFrame | pd.Series[Any]":
    """
    Return the one column of texts for an estimator that begins with a vectorizer.

    If the first step knows neither the names nor the number of its columns, return all columns as in the file.
    """
    names = [name for name in frame if column_kind(frame[name]) in {"category", "text"}]
    is_vectorizer = hasattr(first_step(estimator), "build_analyzer")
    if not names or (not is_vectorizer and len(frame.columns) > 1):
        return _floats(frame)
    if len(names) > 1:
        raise NotPublishable(
            "the model does not know which columns it was fitted on, and so expects one column of texts; the sample "
            f"has {', '.join(map(str, names))}: keep only one of them"
        )
    return frame[names[0]]


def _as_predicted(estimator: Any, y: "pd.Series[Any]") -> "pd.Series[Any]":
    """Cast the target to the type of the model's own predictions."""
    if task_of(estimator) == "regression":
        if y.dtype.kind not in "iuf":
            raise NotPublishable(f"{y.name!r} holds {y.tolist()[0]!r}, and the model predicts numbers")
        return y
    classes = estimator.classes_
    # Classes that are texts of digits were read as numbers; classes of pandas' Int64 have become floats.
    cast = y.astype(str) if y.dtype.kind in "iu" and isinstance(classes.tolist()[0], str) else y
    if classes.dtype.kind == "f" and y.dtype.kind in "iub":
        cast = y.astype("Int64" if y.dtype.kind in "iu" else "boolean")
    strange = sorted(set(cast.tolist()) - set(classes.tolist()), key=repr)
    if strange:
        known = ", ".join(map(repr, classes.tolist()[:8]))
        raise NotPublishable(f"{y.name!r} holds {strange[0]!r}, which is not a class of the model: it has {known}")
    return cast if classes.dtype.kind == "f" else cast.astype(object).astype(classes.dtype)
