"""Native values are cast to the very table that the estimator was fitted on."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from artifacts import Signature
from train.examples import invented
from train.profile import profile_spread
from train.rows import Rows, as_rows
from train.signatures import columns_of

INTEGERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
FLOATS = {"float16": 16, "float32": 32, "float64": 64, "Float32": 32, "Float64": 64}
MASKED = ["Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"]
LEVELS = {
    "int64": st.integers(-(2**63), 2**63 - 1),
    "uint8": st.integers(0, 255),
    "float64": st.floats(allow_nan=False, allow_infinity=False),
    "bool": st.booleans(),
    "str": st.text(),
    "string": st.text(),
    "object": st.text(),
    "Int64": st.integers(-(2**63), 2**63 - 1),
    "boolean": st.booleans(),
}
OBJECTS = {
    "texts": st.text(),
    "few texts": st.sampled_from(["a", "b", ""]),
    "integers": st.integers(-(10**63), 10**63),
    "numbers": st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False),
    "booleans": st.booleans(),
}
DTYPES = [*INTEGERS, *FLOATS, *MASKED, "bool", "boolean", "str", "string", "object", "category"]
thorough = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])


def real(width: Any) -> st.SearchStrategy[float]:
    """Finite floats of so many bits."""
    # Within bounds, for hypothesis would draw wider ones and throw nearly all of them away.
    most = float(np.finfo(f"float{width}").max)
    return st.floats(-most, most, width=width)


def whole(dtype: str) -> st.SearchStrategy[int]:
    """Integers up to the bounds of a dtype."""
    limits = np.iinfo(dtype.lower())
    low, high = int(limits.min), int(limits.max)
    return st.integers(low, high) | st.sampled_from([low, high])


ARRAYS: dict[str, st.SearchStrategy[Any]] = {
    **{dtype: whole(dtype) for dtype in INTEGERS},
    **{dtype: real(width) for dtype, width in FLOATS.items() if dtype.islower()},
    "bool": st.booleans(),
    "U": st.text(),
    **OBJECTS,
}


@st.composite
def series(draw: st.DrawFn, dtype: str, rows: int) -> "pd.Series[Any]":
    """A column of one dtype, with nulls where it can have some."""
    if dtype == "category":
        return pd.Series(draw(categories(rows)))
    if dtype == "object":
        values = draw(st.sampled_from(list(OBJECTS.values())).flatmap(lambda kind: listed(kind | st.none(), rows)))
        null = draw(st.sampled_from([None, np.nan]))
        return pd.Series([null if value is None else value for value in values], dtype=object)
    if dtype in FLOATS:
        kind: st.SearchStrategy[Any] = real(FLOATS[dtype])
    else:
        kind = (
            st.text() if dtype in {"str", "string"} else st.booleans() if dtype in {"bool", "boolean"} else whole(dtype)
        )
    has_nulls = dtype not in {*INTEGERS, "bool"}
    return pd.Series(draw(listed(kind | st.none() if has_nulls else kind, rows)), dtype=dtype)


def listed(kind: st.SearchStrategy[Any], rows: int) -> st.SearchStrategy[list[Any]]:
    """So many of them."""
    return st.lists(kind, min_size=rows, max_size=rows)


@st.composite
def categories(draw: st.DrawFn, rows: int) -> pd.Categorical:
    """Levels of any dtype in any order, some of them in no row, and nulls."""
    levels = draw(st.sampled_from(list(LEVELS)))
    known = draw(st.lists(LEVELS[levels], min_size=1, max_size=4, unique=True))
    codes = draw(listed(st.integers(-1, len(known) - 1), rows))
    dtype = pd.CategoricalDtype(pd.Index(known, dtype=levels), ordered=draw(st.booleans()))
    return pd.Categorical.from_codes(codes, dtype=dtype)


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    """One to five columns of any dtypes, one to eight rows."""
    rows = draw(st.integers(1, 8))
    dtypes = draw(st.lists(st.sampled_from(DTYPES), min_size=1, max_size=5))
    return pd.DataFrame({f"{dtype} {place}": draw(series(dtype, rows)) for place, dtype in enumerate(dtypes)})


def signature_of(rows: Rows, *, real: bool = True) -> Signature:
    """The signature that a manifest would bring back from the disk."""
    columns = columns_of(rows, real=real)
    written = Signature(container=rows.container, columns=columns)
    return Signature.model_validate_json(written.model_dump_json())


@thorough
@given(frame=frames())
def test_a_frame_is_restored(frame: pd.DataFrame) -> None:
    """The native values of any frame pass the check, and become that frame: dtypes, levels, nulls and every bit."""
    rows = as_rows(frame)

    signature = signature_of(rows)
    batch = signature.check(rows.values())

    assert batch.faults == ()
    back = pd.DataFrame(signature.as_fitted(batch.data))
    pd.testing.assert_frame_equal(back, frame, check_exact=True)
    for name in frame:
        assert list(map(repr, back[name])) == list(map(repr, frame[name]))


@thorough
@given(frame=frames())
def test_invented_rows_pass_the_check(frame: pd.DataFrame) -> None:
    """Invented examples are rows that the signature accepts."""
    rows = as_rows(frame)
    signature = signature_of(rows, real=False)

    batch = signature.check(invented(signature))

    assert batch.faults == ()
    assert signature.check([[column.example] for column in signature.columns]).faults == ()


@thorough
@given(frame=frames())
def test_every_row_is_counted_once(frame: pd.DataFrame) -> None:
    """The reference of a column has every row of training in one bin, or among its nulls."""
    for column in signature_of(as_rows(frame)).columns:
        spread = profile_spread(frame[column.name], column)
        assert sum(spread.counts) + spread.nulls == len(frame)


@pytest.mark.parametrize("kind", ARRAYS)
@settings(thorough, max_examples=10)
@given(data=st.data())
def test_an_array_is_restored(kind: str, data: st.DataObject) -> None:
    """The native values of an array of any dtype become an array of that dtype, equal in every bit."""
    cells = ARRAYS[kind]
    table = data.draw(st.integers(1, 5).flatmap(lambda rows: listed(listed(cells, 2), rows)))
    array = np.array(table, dtype=object if kind in OBJECTS else kind)
    rows = as_rows(array)

    batch = signature_of(rows).check(rows.values())

    assert batch.faults == ()
    assert np.asarray(batch.data).dtype.kind == array.dtype.kind
    assert kind == "U" or np.asarray(batch.data).dtype == array.dtype
    assert list(map(repr, np.asarray(batch.data).tolist())) == list(map(repr, array.tolist()))
