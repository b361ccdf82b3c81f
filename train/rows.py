"""The rows that an estimator was fitted on, as named columns, whatever they were passed as."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from artifacts.frames import Fitted
from artifacts.signature import Container
from train.errors import NotPublishable

_TEXT = "text"


@dataclass(frozen=True, slots=True)
class Rows:
    """
    A table of training rows.

    Attributes:
        data: As it was passed, lists as arrays: what the estimator was fitted on.
        frame: The same with column names; an array of texts has become objects.
        given: What `data` was converted from, if the estimator was fitted on that: a table of polars, or other dtypes.
    """

    data: Fitted
    frame: pd.DataFrame
    given: Any = None

    @property
    def container(self) -> Container:
        """The type that the rows were passed as."""
        if isinstance(self.data, pd.DataFrame):
            return "frame"
        return "series" if self.data.ndim == 1 else "array"

    def as_array(self) -> "Rows":
        """Return the rows as an array, for an estimator that was fitted on `X.to_numpy()`."""
        return as_rows(self.frame.to_numpy(), list(self.frame.columns))

    def take(self, rows: NDArray[np.intp]) -> "Rows":
        """Return some of the rows."""
        data = self.data[rows] if isinstance(self.data, np.ndarray) else self.data.iloc[rows]
        return Rows(data, self.frame.iloc[rows])

    def sample(self, most: int) -> "Rows":
        """Return so many rows, evenly spaced; all if there are fewer."""
        count = len(self.frame)
        return self if count <= most else self.take(evenly(count, most))

    def values(self) -> list[list[object]]:
        """Return one list of native values per column, None for a null, as JSON has them."""
        return [native_values(self.frame[name]) for name in self.frame.columns]


def evenly(count: int, most: int) -> NDArray[np.intp]:
    """Return the places of so many rows, evenly spaced; all if there are fewer."""
    return np.arange(count) if count <= most else np.linspace(0, count - 1, most).astype(np.intp)


def as_rows(X: pd.DataFrame | ArrayLike, columns: Sequence[str] | None = None) -> Rows:
    """
    Convert X to named columns.

    Args:
        X: A frame, also one of polars; an array of rows and columns; or a series, array or list of texts.
        columns: The names of an array's columns; by default x0, x1, ...

    Raises:
        NotPublishable: It is something else.
    """
    if isinstance(columns, str):
        raise NotPublishable(f"columns must be a list of names, [{columns!r}], and is a text")
    to_pandas: Any = getattr(X, "to_pandas", None)
    if to_pandas is not None:
        return replace(as_rows(to_pandas(), columns), given=X)
    if hasattr(X, "collect"):
        raise NotPublishable(f"X is a {type(X).__name__}, which is lazy: pass X.collect()")
    if isinstance(X, pd.DataFrame):
        if columns is not None and list(columns) != list(X.columns):
            raise NotPublishable("columns is for arrays: the columns of a DataFrame have names")
        return Rows(X, _named(X))
    if isinstance(X, pd.Series):
        return _texts(X, columns)
    array = _as_array(X)
    if array.ndim == 1:
        return _texts(pd.Series(array.tolist(), dtype=object), columns)
    if array.ndim != 2:
        raise NotPublishable("X is not a table: pass a DataFrame, or a dense array of rows and columns")
    names = [f"x{place}" for place in range(array.shape[1])] if columns is None else list(columns)
    if len(names) != array.shape[1]:
        raise NotPublishable(f"columns has {len(names)} names, and X has {array.shape[1]} columns")
    # pandas would convert an array of texts, or of objects that are texts, to its own dtype.
    dtype = object if array.dtype.kind in "OU" else array.dtype
    return Rows(array, _named(pd.DataFrame(array.astype(dtype), columns=pd.Index(names, dtype=object), dtype=dtype)))


def _as_array(X: Any) -> NDArray[Any]:
    try:
        array = np.asarray(X)
    except ValueError as error:
        raise NotPublishable("X is not a table: its rows differ in length") from error
    # As scikit-learn does with lists that hold a text: numpy would convert numbers next to it to texts.
    is_kept = isinstance(X, np.ndarray) or array.dtype.kind != "U"
    return array if is_kept else np.asarray(X, dtype=object)


def _texts(series: "pd.Series[Any]", columns: Sequence[str] | None) -> Rows:
    if isinstance(series.dtype, pd.CategoricalDtype):
        raise NotPublishable("X is a Series of categories: pass the texts themselves, X.astype(str)")
    if series.isna().any():
        raise NotPublishable('X is one list of texts and holds nulls: replace them by a text, such as ""')
    if not series.map(lambda value: isinstance(value, str)).all():
        raise NotPublishable(
            "X is one list of values and not all of them are texts: pass a DataFrame, or an array of rows and columns"
        )
    if columns is not None and len(columns) != 1:
        raise NotPublishable(f"columns has {len(columns)} names, and X is one column")
    name = columns[0] if columns else series.name if isinstance(series.name, str) else _TEXT
    return Rows(series, _named(series.to_frame(name)))


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    if not all(isinstance(column, str) for column in frame.columns) or not frame.columns.is_unique:
        raise NotPublishable(
            "column names must be texts without duplicates: rename the columns before fitting; "
            "if none of them is a text, pass X.to_numpy(), which the estimator was fitted on"
        )
    blank = [column for column in frame.columns if not column or column != column.strip()]
    if blank:
        raise NotPublishable(
            f"column {blank[0]!r} begins or ends with a blank, which a CSV header cannot have: rename it"
        )
    if not len(frame) or not len(frame.columns):
        raise NotPublishable("X has no row or no column: pass the rows that the estimator was fitted on")
    return frame


def native_values(values: "pd.Series[Any]") -> list[object]:
    """Return the values of a column as JSON has them, None for a null."""
    native = [value.item() if isinstance(value, np.generic) else value for value in values.tolist()]
    return [None if null else value for value, null in zip(native, values.isna().tolist(), strict=True)]
