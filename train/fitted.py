"""A fitted model that somebody brings in a file, and a sample of the rows that it is for."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import sklearn
from numpy.typing import NDArray
from sklearn.exceptions import InconsistentVersionWarning

from artifacts.features import Features, features_of, first_step
from artifacts.frames import Fitted
from train.admission import task_of
from train.errors import ColumnMissing, ModelNotLoaded, NotPublishable
from train.evaluate import evaluate
from train.learned import brief, learned_of, typed
from train.tables import Table, kind_of
from train.targets import plain

_MOST_NAMED = 8

DANGER = (
    "loading a model runs code that is in its file, with all that you may do on this machine: "
    "load {path} only if you know who made it"
)


def load(path: Path) -> Any:
    """
    The fitted estimator in a file that joblib or pickle wrote; loading runs code that is in the file.

    Raises:
        ModelNotLoaded: It is no such file, or another scikit-learn fitted what is in it.
        NotPublishable: What is in it is no fitted classifier or regressor.
    """
    demand_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", InconsistentVersionWarning)
            estimator = joblib.load(path)
    except InconsistentVersionWarning as error:
        raise ModelNotLoaded(
            f"{path.name} was fitted by scikit-learn {error.original_sklearn_version}, and here is "
            f"{error.current_sklearn_version}: fit it anew here, or install the one that fitted it, "
            "for training and for the server"
        ) from error
    except ModuleNotFoundError as error:
        raise ModelNotLoaded(
            f"{path.name} needs the module {error.name!r}: install its package, here and where the server runs; if it "
            f"is a file of your own: --code {error.name}.py"
        ) from error
    except AttributeError as error:
        if "__main__'" not in str(error):
            raise _unloadable(path, error) from error
        raise ModelNotLoaded(
            f"{path.name} uses what the notebook or script that fitted it defines itself ({error}): move it to a file, "
            "import it from there, fit again, and name the file: --code features.py"
        ) from error
    except Exception as error:
        # Unpickling runs what the file says, and may fail in any way.
        raise _unloadable(path, error) from error
    task_of(estimator)
    return estimator


def _unloadable(path: Path, error: Exception) -> ModelNotLoaded:
    return ModelNotLoaded(
        f"{path.name} cannot be loaded ({type(error).__name__}: {error}): it is no file of joblib or pickle, "
        f"or was written by other versions than those here, such as scikit-learn {sklearn.__version__}"
    )


def demand_file(path: Path) -> None:
    """
    Look whether there is a file at all.

    Raises:
        ModelNotLoaded: There is none.
    """
    if not path.is_file():
        raise ModelNotLoaded(f"there is no file {path}")


@dataclass(frozen=True, slots=True)
class Sample:
    """
    Rows that a model is for.

    Attributes:
        data: As the estimator was fitted on them, as far as it tells: a frame, an array or a series.
        columns: The names of an array's columns.
        y: What was to be predicted, in the type of the model's classes; None if nobody says.
        categories: By column the values that the model knows, whether or not the sample has them.
    """

    data: Fitted
    columns: list[str] | None = None
    y: "pd.Series[Any] | None" = None
    categories: Mapping[str, Sequence[Any]] = field(default_factory=dict)


def sample_of(
    estimator: Any, table: Table, *, target: str | None = None, dtypes: Mapping[str, str] | None = None
) -> Sample:
    """
    The rows of a table for an estimator; those without a target are left out.

    Args:
        estimator: Fitted.
        table: The sample.
        target: The column that was to be predicted.
        dtypes: By column what it is to be cast to, as pandas names it; others are cast to what the model tells.

    Raises:
        ColumnMissing: The table has not all of its columns.
        NotPublishable: The table cannot be brought to what it was fitted on, the target is not what it predicts, or the
            model does not predict a row.
    """
    dtypes = dtypes or {}
    table.demand(*dtypes)
    if target is None:
        sample, frame = _sample(estimator, table, table.frame, dtypes), table.frame
    else:
        table.demand(target)
        frame = table.frame.dropna(subset=[target])
        if frame.empty:
            raise NotPublishable(f"{table.source} has no row with a {target!r}: leave out --target, or say which it is")
        told = _told(estimator, plain(frame[target]))
        frame = frame.drop(columns=target)
        sample = replace(_sample(estimator, table, frame, dtypes), y=told)
    _demand_predicted(estimator, sample.data, frame, table.source)
    return sample


def scores(estimator: Any, sample: Sample) -> dict[str, float]:
    """Scores on the sample, so named that nobody takes them for scores on rows that the model has not seen."""
    if sample.y is None:
        return {}
    try:
        found = evaluate(estimator, task_of(estimator), sample.data, sample.y).scores
    except Exception as error:
        # What scores ask of a model besides `predict`, a model of another library may refuse in any way.
        raise NotPublishable(f"the model cannot be scored on the sample: {brief(error)}; leave out --target") from error
    return {f"sample_{name}": score for name, score in found.items()}


def _sample(estimator: Any, table: Table, frame: pd.DataFrame, dtypes: Mapping[str, str]) -> Sample:
    fitted = features_of(estimator)
    width = fitted.width
    if fitted.names is not None:
        learned = learned_of(estimator)
        places = _named(fitted, table, frame)
        known = {column: learned[name] for name, column in places.items() if name in learned}
        texts = {column: each.known for column, each in known.items() if each.known and each.are_texts}
        return Sample(typed(frame[list(places.values())], known, dtypes, table.source), categories=texts)
    frame = typed(frame, {}, dtypes, table.source, numbers=False)
    if width is None:
        return Sample(_texts(estimator, frame))
    if width != frame.shape[1]:
        raise NotPublishable(
            f"the model was fitted on {width} columns without names, and {table.source} has {frame.shape[1]} "
            f"({', '.join(map(str, frame))}): leave in the sample those that it was fitted on, in their order"
        )
    return Sample(_array(frame), columns=[str(name) for name in frame])


def _named(fitted: Features, table: Table, frame: pd.DataFrame) -> dict[str, str]:
    """The column of the frame for each of the estimator's names."""
    columns = [str(name) for name in frame]
    known = fitted.places(columns)
    missing = [name for name in fitted.names or () if name not in known]
    if missing:
        raise ColumnMissing(*missing, columns=columns, source=table.source)
    return known


def _demand_predicted(estimator: Any, data: Fitted, frame: pd.DataFrame, source: str) -> None:
    """
    Let the model predict all rows.

    Args:
        estimator: Fitted.
        data: The rows as it was fitted on them.
        frame: The same as they were read.
        source: The file.

    Raises:
        NotPublishable: It refuses some; the first of them is named.
    """
    error = _refusal(estimator, data)
    if error is None:
        return
    start, stop = 0, len(frame)
    while stop - start > 1:
        middle = (start + stop) // 2
        found = _refusal(estimator, data[start:middle])
        error, start, stop = (found, start, middle) if found else (error, middle, stop)
    error = _refusal(estimator, data[start:stop]) or error
    which = f"row {frame.index[start] + 1} of {source}"
    if len(frame) > 1 and all(_refusal(estimator, data[end:][:1]) for end in (len(frame) // 2, len(frame) - 1)):
        which = f"the rows of {source}, such as {which}"
    nulls = [str(name) for name, null in frame.iloc[start].isna().items() if null]
    empty = f", which has no value in {', '.join(map(repr, nulls[:_MOST_NAMED]))}" if nulls else ""
    raise NotPublishable(
        f"the model does not predict {which}{empty}: {brief(error)}. Leave out of the sample what it does not take; "
        "if a column was of another dtype when it was fitted: --dtype COLUMN=str"
    ) from error


def _refusal(estimator: Any, data: Fitted) -> Exception | None:
    try:
        estimator.predict(data)
    except Exception as error:  # noqa: BLE001  # a model of any library refuses in its own way; the reason is passed on
        return error
    return None


def _floats(frame: pd.DataFrame) -> pd.DataFrame:
    """A sample of whole numbers does not say that the model was fitted on integers."""
    return frame.astype({name: float for name in frame if frame[name].dtype.kind in "iu"})


def _array(frame: pd.DataFrame) -> "NDArray[Any]":
    is_numeric = all(values.dtype.kind in "iufb" for _, values in frame.items())
    return frame.to_numpy(dtype=float) if is_numeric else _floats(frame).to_numpy(dtype=object)


def _texts(estimator: Any, frame: pd.DataFrame) -> "pd.DataFrame | pd.Series[Any]":
    """
    The one column of texts, for an estimator that begins with a vectorizer.

    Of a first step that keeps neither names nor a number of columns, all columns, in the order of the file.
    """
    names = [name for name in frame if kind_of(frame[name]) in {"category", "text"}]
    is_vectorizer = hasattr(first_step(estimator), "build_analyzer")
    if not names or (not is_vectorizer and len(frame.columns) > 1):
        return _floats(frame)
    if len(names) > 1:
        raise NotPublishable(
            "the model does not say which columns it was fitted on, and so takes one column of texts: the sample has "
            f"{', '.join(map(str, names))}; leave one of them in it"
        )
    return frame[names[0]]


def _told(estimator: Any, y: "pd.Series[Any]") -> "pd.Series[Any]":
    """The target in the type of the model's own answers."""
    if task_of(estimator) == "regression":
        if y.dtype.kind not in "iuf":
            raise NotPublishable(f"{y.name!r} holds {y.tolist()[0]!r}, and the model predicts numbers")
        return y
    classes = estimator.classes_
    # Classes that are texts of digits were read as numbers, and those of pandas' Int64 have become floats.
    told = y.astype(str) if y.dtype.kind in "iu" and isinstance(classes.tolist()[0], str) else y
    if classes.dtype.kind == "f" and y.dtype.kind in "iub":
        told = y.astype("Int64" if y.dtype.kind in "iu" else "boolean")
    strange = sorted(set(told.tolist()) - set(classes.tolist()), key=repr)
    if strange:
        known = ", ".join(map(repr, classes.tolist()[:8]))
        raise NotPublishable(f"{y.name!r} holds {strange[0]!r}, which is no class of the model: it has {known}")
    return told if classes.dtype.kind == "f" else told.astype(object).astype(classes.dtype)
