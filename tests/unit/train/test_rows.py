"""Whatever X was passed as, it is named columns; what is no table is refused with what to do."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array  # type: ignore[import-untyped]  # scipy has no types

from train.errors import NotPublishable
from train.rows import as_rows

FRAME = pd.DataFrame({"length": [0.5, 1.5, 2.5], "leaves": [1, 2, 3]})
NUMBERS = FRAME.to_numpy()
READ_ONLY = NUMBERS.copy()
READ_ONLY.flags.writeable = False


class Herbarium(pd.DataFrame):
    """A frame of another library."""


@pytest.mark.parametrize(
    ("X", "container", "dtypes"),
    [
        (FRAME, "frame", ["float64", "int64"]),
        (Herbarium(FRAME), "frame", ["float64", "int64"]),
        (FRAME.set_axis([7, 7, 7]), "frame", ["float64", "int64"]),
        (NUMBERS, "array", ["float64"] * 2),
        (np.asfortranarray(NUMBERS), "array", ["float64"] * 2),
        (NUMBERS[::-1, ::-1], "array", ["float64"] * 2),
        (READ_ONLY, "array", ["float64"] * 2),
        (NUMBERS.astype("float16"), "array", ["float16"] * 2),
        (NUMBERS > 1, "array", ["bool"] * 2),
        (NUMBERS.tolist(), "array", ["float64"] * 2),
        ([(1, 2), (3, 4)], "array", ["int64"] * 2),
        ([["a", 1.5], ["b", None]], "array", ["object"] * 2),
        (np.array([["a", "b"]]), "array", ["object"] * 2),
        (np.array([["a", "b"]], dtype=object), "array", ["object"] * 2),
        (pd.Series(["a", "b"], name="line"), "series", ["str"]),
        (pd.Series(["a", "b"], dtype="string"), "series", ["string"]),
        (["a", "b"], "series", ["object"]),
        (("a", "b"), "series", ["object"]),
        (np.array(["a", "b"]), "series", ["object"]),
    ],
    ids=str.split(
        "frame subclass index array fortran reversed readonly float16 bool lists tuples mixed texts objects "
        "series string list tuple U"
    ),
)
def test_what_people_bring_is_named_columns(X: Any, container: str, dtypes: list[str]) -> None:
    """A frame, an array, lists of rows and lists of texts all have columns of the dtypes that they were fitted with."""
    rows = as_rows(X)

    assert rows.container == container
    assert rows.frame.dtypes.astype(str).tolist() == dtypes
    assert len(rows.frame) == len(X)


def test_lists_with_texts_keep_their_numbers() -> None:
    """Numpy would convert numbers next to a text to texts; scikit-learn was fitted on numbers."""
    X: Any = [["a", 1.5], ["b", 2]]

    rows = as_rows(X)

    assert rows.values() == [["a", "b"], [1.5, 2]]
    assert np.asarray(rows.data).tolist() == [["a", 1.5], ["b", 2]]


@pytest.mark.parametrize(
    ("X", "columns", "names"),
    [
        (NUMBERS, None, ["x0", "x1"]),
        (NUMBERS, ["length", "leaves"], ["length", "leaves"]),
        (NUMBERS, np.array(["length", "leaves"]), ["length", "leaves"]),
        (FRAME, None, ["length", "leaves"]),
        (FRAME, ["length", "leaves"], ["length", "leaves"]),
        (["a"], None, ["text"]),
        (["a"], ["line"], ["line"]),
        (pd.Series(["a"], name="line"), None, ["line"]),
        (pd.Series(["a"], name=3), None, ["text"]),
    ],
    ids=repr,
)
def test_columns_have_names(X: Any, columns: Any, names: list[str]) -> None:
    """Those of a frame; an array gets the given ones or x0, x1, ..., and one column of texts is called text."""
    assert list(as_rows(X, columns).frame.columns) == names


@pytest.mark.parametrize(
    ("X", "columns", "advice"),
    [
        (NUMBERS, ["a"], "columns has 1 names, and X has 2 columns"),
        (NUMBERS, ["a", "a"], "without duplicates"),
        (NUMBERS, [1, 2], "column names must be texts"),
        (NUMBERS, "ab", r"columns must be a list of names, \['ab'\]"),
        (NUMBERS, ["a", " b"], "column ' b' begins or ends with a blank"),
        (NUMBERS, ["a", ""], "column '' begins or ends with a blank"),
        (FRAME, ["a", "b"], "columns is for arrays: the columns of a DataFrame have names"),
        (["a"], ["a", "b"], "columns has 2 names, and X is one column"),
        (FRAME.set_axis(["a", "a"], axis=1), None, "without duplicates: rename the columns"),
        (FRAME.set_axis([0, 1], axis=1), None, r"must be texts.*X\.to_numpy\(\), which the estimator was fitted on"),
        (FRAME.set_axis(pd.MultiIndex.from_product([["a"], ["b", "c"]]), axis=1), None, "column names must be texts"),
    ],
    ids=str.split("few twice numbers text blank empty frame series duplicate integers levels"),
)
def test_names_that_callers_cannot_send_are_refused(X: Any, columns: Any, advice: str) -> None:
    """Each column must have one name, a text that JSON and CSV can represent."""
    with pytest.raises(NotPublishable, match=advice):
        as_rows(X, columns)


@pytest.mark.parametrize(
    ("X", "advice"),
    [
        (None, "X is not a table: pass a DataFrame"),
        (5, "X is not a table: pass a DataFrame"),
        ({"a": [1]}, "X is not a table: pass a DataFrame"),
        (csr_array(NUMBERS), "X is not a table: pass a DataFrame, or a dense array"),
        (np.zeros((2, 2, 2)), "X is not a table"),
        ((row for row in NUMBERS), "X is not a table"),
        ([[1, 2], [3]], "X is not a table: its rows differ in length"),
        (FRAME.to_dict("records"), "not all of them are texts: pass a DataFrame, or an array of rows and columns"),
        (FRAME["length"], "not all of them are texts: pass a DataFrame"),
        (np.array([0.5, 1.5]), "not all of them are texts"),
        (["a", 1], "not all of them are texts"),
        (pd.Series(["a", None]), 'holds nulls: replace them by a text, such as ""'),
        (["a", None], "holds nulls"),
        (pd.Series(["a", "b"], dtype="category"), r"pass the texts themselves, X\.astype\(str\)"),
        (FRAME.iloc[:0], "X has no row or no column: pass the rows that the estimator was fitted on"),
        (FRAME[[]], "X has no row or no column"),
        ([], "X has no row or no column"),
        ([[]], "X has no row or no column"),
    ],
    ids=str.split(
        "none number dict sparse 3d generator ragged records series array mixed null-series null-list categories "
        "empty no-column no-row no-cell"
    ),
)
def test_what_is_no_table_is_refused(X: Any, advice: str) -> None:
    """What has no rows and columns is refused, with what to pass instead."""
    with pytest.raises(NotPublishable, match=advice):
        as_rows(X)


def test_values_are_native() -> None:
    """Numbers are Python's, to the last digit, and every null of pandas is None."""
    columns = {
        "Int64": pd.array([2**53 + 1, None], dtype="Int64"),
        "float32": np.array([0.5, np.nan], dtype="float32"),
        "boolean": pd.array([True, None], dtype="boolean"),
        "category": pd.Categorical([3, None]),
        "object": pd.Series([np.bool_(False), np.nan], dtype=object),
        "text": pd.Series([np.str_("a"), None], dtype=object),
    }

    values = as_rows(pd.DataFrame(columns)).values()

    assert list(map(repr, values)) == [
        "[9007199254740993, None]",
        "[0.5, None]",
        "[True, None]",
        "[3, None]",
        "[False, None]",
        "['a', None]",
    ]


@pytest.mark.parametrize("X", [FRAME, NUMBERS, ["a", "b", "c"]], ids=["frame", "array", "series"])
def test_a_sample_is_spread_evenly(X: Any) -> None:
    """Fewer rows are the first, the last and those between, in data and frame alike; enough rows are all of them."""
    rows = as_rows(X)

    few = rows.sample(2)

    assert few.values() == [[column[0], column[2]] for column in rows.values()]
    assert len(few.data) == 2
    assert rows.sample(3) is rows


def test_a_frame_becomes_an_array_under_its_names() -> None:
    """What was fitted on X.to_numpy() met one dtype, and keeps the names that callers know."""
    rows = as_rows(FRAME).as_array()

    assert rows.container == "array"
    assert rows.frame.dtypes.astype(str).to_dict() == {"length": "float64", "leaves": "float64"}
