"""Checked arrays become frames and series in the dtypes of training."""

import numpy as np
import pandas as pd

from artifacts import frames
from artifacts.columns import Column
from artifacts.values import Check
from tests.support.column_samples import COLUMNS, EVERY_COLUMN, column


@EVERY_COLUMN
def test_a_column_has_the_dtype_of_training(one: Column) -> None:
    """An array that the check built is cast to the exact dtype of its column, nulls included."""
    example = one.known[0] if one.known else {"text": "a", "boolean": True}.get(one.kind, 1)
    values = [example, None] if one.nullable else [example]
    if one.dtype == "category" and not one.known:
        values = [None]

    array, faults = Check(one)(values, max_digits=20)
    series = frames.series(one, array)

    assert not faults
    assert series.name == one.name
    assert one.dtype in {str(series.dtype), "U"}
    assert series.isna().tolist() == [value is None for value in values]


def test_a_null_among_objects_is_that_of_training() -> None:
    """A null becomes None or NaN as in training, because scikit-learn treats the two differently."""
    array = np.array(["a", None], dtype=object)

    as_none = frames.with_nulls(column("text", "object", nullable=True, null="none"), array)
    as_nan = frames.with_nulls(column("text", "object", nullable=True, null="nan"), array)

    assert as_none[1] is None
    assert np.isnan(as_nan[1])


def test_a_text_with_a_lone_surrogate_is_a_text() -> None:
    """JSON can contain a lone surrogate, which Arrow cannot store."""
    series = frames.series(column("text", "str"), np.array(["\ud800"], dtype=object))

    assert series.tolist() == ["\ud800"]
    assert isinstance(series.dtype, pd.StringDtype)


def test_an_unknown_category_that_passes_is_a_null() -> None:
    """A pandas categorical cannot hold a value outside its categories."""
    one = column("category", "category", known=["a", "b"], levels="str", unknown="pass")

    assert frames.series(one, np.array(["b", "c"], dtype=object)).isna().tolist() == [False, True]


def test_a_frame_has_the_columns_by_name() -> None:
    """Columns are found by name in the order of the signature, of one dtype or of several."""
    one, other = COLUMNS[0], column("integer", "int8")

    frame = frames.frame([one, other], [np.array([1.5]), np.array([2], dtype=np.int8)])

    assert frame.dtypes.astype(str).to_dict() == {one.name: "float64", other.name: "int8"}
    assert frames.named(["a", "b"], np.array([[1.0, 2.0]])).to_dict("list") == {"a": [1.0], "b": [2.0]}
