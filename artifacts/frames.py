"""Checked columns as pandas objects, for estimators that were fitted on a frame."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.extensions import ExtensionArray

from artifacts.columns import Column

Fitted: TypeAlias = NDArray[Any] | pd.DataFrame | pd.Series
"""What an estimator can be fitted on."""


def frame(columns: Sequence[Column], arrays: Sequence[NDArray[Any]]) -> pd.DataFrame:
    """Return a frame of one array per column, each in the dtype of training."""
    return pd.DataFrame(
        {column.name: _kept(cast(column, array)) for column, array in zip(columns, arrays, strict=True)}
    )


def named(names: Sequence[str], rows: NDArray[Any]) -> pd.DataFrame:
    """Return a frame of rows of one dtype, shape (rows, columns), with the names of training."""
    return pd.DataFrame(rows, columns=list(names))


def series(column: Column, array: NDArray[Any]) -> "pd.Series[Any]":
    """Return one column as a series."""
    return pd.Series(_kept(cast(column, array)), name=column.name)


def cast(column: Column, array: NDArray[Any]) -> NDArray[Any] | ExtensionArray:
    """Return a checked array, in which None is a null, in the very dtype of its column."""
    dtype = column.dtype
    if dtype == "category":
        codes = {value: code for code, value in enumerate(column.known)}
        # An unknown category that passes is a null to pandas.
        places = np.fromiter((codes.get(value, -1) for value in array), dtype=np.intp, count=len(array))
        return pd.Categorical.from_codes(places, dtype=column.level_dtype)
    if dtype in {"str", "string"}:
        return _texts(array, np.nan if dtype == "str" else pd.NA)
    if dtype == "boolean" or (dtype != "U" and dtype[0].isupper()):
        return _masked(array, np.dtype(bool if dtype == "boolean" else dtype.lower()))
    return with_nulls(column, array)


def with_nulls(column: Column, array: NDArray[Any]) -> NDArray[Any]:
    """Return an array in which a null is the None or NaN of training: scikit-learn distinguishes them among objects."""
    if column.dtype != "object" or column.null == "none" or not column.nullable:
        return array
    return np.array([np.nan if value is None else value for value in array] or array, dtype=object)


def _texts(array: NDArray[Any], null: Any) -> ExtensionArray:
    try:
        return pd.array(array, dtype=pd.StringDtype(na_value=null))
    except UnicodeEncodeError:
        # JSON can send half a character, which Arrow does not accept.
        return pd.array(array, dtype=pd.StringDtype("python", na_value=null))


def _masked(array: NDArray[Any], dtype: np.dtype[Any]) -> ExtensionArray:
    mask = np.fromiter((value is None for value in array), dtype=bool, count=len(array))
    held: NDArray[Any] = np.array([0 if value is None else value for value in array], dtype=dtype)
    kinds = {"b": pd.arrays.BooleanArray, "i": pd.arrays.IntegerArray, "u": pd.arrays.IntegerArray}
    make: Callable[..., ExtensionArray] = kinds.get(dtype.kind, pd.arrays.FloatingArray)
    return make(held, mask)


def _kept(array: NDArray[Any] | ExtensionArray) -> "NDArray[Any] | ExtensionArray | pd.Series[Any]":
    """Return an array so that pandas keeps its dtype: of objects that are all texts it would make texts of its own."""
    return pd.Series(array, dtype=object) if array.dtype == object else array
