"""One check for every value: whatever it is, and whoever stands beside it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from artifacts.columns import Batch, Column, Fault, Signature
from tests.tiny import column

COLUMNS = [
    column("wide", "float64"),
    column("narrow", "float32"),
    column("holed", "float64", nullable=True),
    column("narrow_holed", "float32", nullable=True),
    column("whole", "int64"),
    column("small", "int8"),
    column("unsigned", "uint64"),
]
EVERY_COLUMN = pytest.mark.parametrize("one", COLUMNS, ids=lambda one: one.name)

numbers = (
    st.integers(-200, 200)
    | st.integers(-(2**65), 2**65)
    | st.integers(-(10**66), 10**66)
    | st.integers(-200, 200).map(float)
    | st.floats()
)
values = numbers | st.none() | st.booleans() | st.text(max_size=5) | st.sampled_from(["nan", " -Infinity", "1.5", "7"])


def check(one: Column, cells: Sequence[object], *, max_digits: int = 64) -> Batch:
    """A batch of one column."""
    return Signature(container="frame", columns=(one,)).check([cells], max_digits=max_digits)


def is_good(one: Column, value: Any) -> bool:
    """What the check should let pass, said value by value and without a thought for speed."""
    if value is None:
        return one.nullable
    if type(value) not in {int, float} or value - value != 0:
        return False
    if type(value) is int and abs(value) >= 10**64:
        return False
    if one.kind == "integer":
        bounds = np.iinfo(one.dtype)
        return bool(value == int(value) and bounds.min <= value <= bounds.max)
    with np.errstate(over="ignore"):
        return bool(np.isfinite(np.float64(value).astype(one.dtype)))


def named(batch: Batch) -> list[int]:
    """The rows that faults name, each as often as it is named."""
    return sorted(row for fault in batch.faults for row in fault.rows.tolist())


@EVERY_COLUMN
@settings(deadline=None)
@given(cells=st.lists(values, max_size=8))
def test_faults_name_exactly_the_bad_rows(one: Column, cells: list[object]) -> None:
    """A row is good, in the data and named by no fault, exactly when its value is right; else one fault names it."""
    batch = check(one, cells)

    right = [is_good(one, value) for value in cells]
    assert batch.good.tolist() == right
    assert named(batch) == [row for row, good in enumerate(right) if not good]
    assert len(batch.data) == sum(right)


@EVERY_COLUMN
@settings(deadline=None)
@given(cells=st.lists(values, max_size=8))
def test_good_values_arrive_as_they_are(one: Column, cells: list[object]) -> None:
    """The data are the good values in order, rounded to the column's dtype and to nothing else."""
    batch = check(one, cells)

    good = [value for value in cells if is_good(one, value)]
    expected = [float("nan") if value is None else value for value in good]
    got = pd.DataFrame(batch.data)[one.name].to_numpy()
    assert got.dtype == one.dtype
    assert np.array_equal(got, np.array(expected, dtype=one.dtype), equal_nan=one.nullable)


@settings(deadline=None)
@given(rows=st.lists(st.tuples(*[values] * len(COLUMNS)), max_size=12), data=st.data())
def test_a_batch_may_be_cut_anywhere(rows: list[tuple[object, ...]], data: st.DataObject) -> None:
    """Rows checked in two parts give the same bits, the same good rows and the same faults as in one."""
    signature = Signature(container="frame", columns=tuple(COLUMNS))
    cut = data.draw(st.integers(0, len(rows)))

    whole, *parts = (
        signature.check(list(zip(*part, strict=True)) or [()] * len(COLUMNS)) for part in (rows, rows[:cut], rows[cut:])
    )

    joined = pd.concat([pd.DataFrame(part.data) for part in parts], ignore_index=True)
    pd.testing.assert_frame_equal(joined, pd.DataFrame(whole.data), check_exact=True)
    assert [*parts[0].good, *parts[1].good] == whole.good.tolist()
    moved = {
        (fault.code, fault.column, row + at)
        for at, part in zip((0, cut), parts, strict=True)
        for fault in part.faults
        for row in fault.rows.tolist()
    }
    assert moved == {(fault.code, fault.column, row) for fault in whole.faults for row in fault.rows.tolist()}


@EVERY_COLUMN
@settings(deadline=None)
@given(cells=st.lists(numbers, max_size=6), max_digits=st.sampled_from([1, 2, 5, 23, 64, 400]))
def test_a_bad_neighbour_changes_nothing(one: Column, cells: list[object], max_digits: int) -> None:
    """The quick way and the careful one agree: a text at the end, which forces the latter, leaves the others alone."""
    alone = check(one, cells, max_digits=max_digits)

    beside = check(one, [*cells, "text"], max_digits=max_digits)

    assert beside.good.tolist() == [*alone.good, False]
    assert np.asarray(beside.data).tobytes() == np.asarray(alone.data).tobytes()


@pytest.mark.parametrize(
    ("dtype", "value", "code"),
    [
        ("float64", None, "null"),
        ("float64", "nan", "non-finite"),
        ("float64", " -Infinity ", "non-finite"),
        ("float64", float("nan"), "non-finite"),
        ("float64", float("-inf"), "non-finite"),
        ("float64", "1.5", "not-a-number"),
        ("float64", True, "not-a-number"),
        ("float64", [1.0], "not-a-number"),
        ("float64", 10**64, "integer-too-long"),
        ("float64", -(10**400), "integer-too-long"),
        ("float32", 1e39, "out-of-range"),
        ("float32", 10**39, "out-of-range"),
        ("float16", 70000, "out-of-range"),
        ("int64", 1.5, "not-an-integer"),
        ("int64", 2**63, "out-of-range"),
        ("int64", 1e300, "out-of-range"),
        ("int64", 10**64, "integer-too-long"),
        ("int8", -129, "out-of-range"),
        ("uint8", -1, "out-of-range"),
        ("int8", False, "not-a-number"),
    ],
)
def test_each_mistake_has_its_code(dtype: str, value: object, code: str) -> None:
    """A mistake is filed once, under the code that tells the caller what to change."""
    batch = check(column("length", dtype), [value])

    assert [(fault.code, fault.column, fault.rows.tolist()) for fault in batch.faults] == [(code, "length", [0])]


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("float64", 10**64 - 1),
        ("float64", 1e308),
        ("float64", -0.0),
        ("float32", 3.4e38),
        ("int64", 2**63 - 1),
        ("int64", 7.0),
        ("uint64", 2**64 - 1),
        ("int8", -128),
    ],
)
def test_the_outermost_values_pass(dtype: str, value: float) -> None:
    """A value at the very edge of what a column holds is cast to its dtype, no digit lost."""
    batch = Signature(container="array", columns=(column("length", dtype),)).check([[value]])

    assert batch.faults == ()
    assert np.asarray(batch.data).tobytes() == np.array([[value]], dtype=dtype).tobytes()


@pytest.mark.parametrize(
    ("dtype", "value", "max_digits", "code"),
    [
        ("float64", 10**350, 400, "out-of-range"),
        ("float64", 10**23, 23, "integer-too-long"),
        ("int64", 100, 2, "integer-too-long"),
        ("int64", -100, 2, "integer-too-long"),
    ],
)
def test_the_longest_integer_is_the_callers_to_set(dtype: str, value: int, max_digits: int, code: str) -> None:
    """A digit too many is a mistake at every limit, also beyond what floats hold and where they are not exact."""
    batch = check(column("length", dtype), [1, value], max_digits=max_digits)

    assert [(fault.code, fault.rows.tolist()) for fault in batch.faults] == [(code, [1])]


@pytest.mark.parametrize(("container", "kind"), [("array", np.ndarray), ("frame", pd.DataFrame)])
def test_the_container_is_that_of_training(container: Any, kind: type) -> None:
    """An estimator that was fitted on an array gets an array, one that was fitted on a frame gets a frame."""
    signature = Signature(container=container, columns=(column("a", "float32"), column("b", "float32")))

    batch = signature.check([[1, 2], [3.5, None]])

    assert isinstance(batch.data, kind)
    assert np.asarray(batch.data).dtype == np.float32
    assert np.asarray(batch.data).tolist() == [[1.0, 3.5]]


def test_a_frame_keeps_the_dtype_of_each_column() -> None:
    """A frame of several dtypes has exactly these, also when no row is good."""
    signature = Signature(container="frame", columns=tuple(COLUMNS))

    batch = signature.check([["bad"]] * len(COLUMNS))

    assert pd.DataFrame(batch.data).dtypes.astype(str).to_dict() == {one.name: one.dtype for one in COLUMNS}
    assert len(batch.faults) == len(COLUMNS)


def test_rows_that_failed_before_keep_their_places() -> None:
    """Faults count from the batch's first row, those that never came to the columns included."""
    before = Fault("wrong-length", "expected 1 cells, got 2", np.array([1]))
    signature = Signature(container="frame", columns=(column("length", "float64"),))

    batch = signature.check([[1.5, "x"]], rows=np.array([0, 2]), size=3, faults=[before])

    assert batch.good.tolist() == [True, False, False]
    assert [(fault.code, fault.rows.tolist()) for fault in batch.faults] == [
        ("wrong-length", [1]),
        ("not-a-number", [2]),
    ]
    assert np.asarray(batch.data).tolist() == [[1.5]]


def test_a_table_of_another_width_is_no_batch() -> None:
    """Columns are never paired by chance: a table with one too many is refused whole."""
    signature = Signature(container="frame", columns=(column("length", "float64"),))

    with pytest.raises(ValueError, match="longer"):
        signature.check([[1.0], [2.0]])


@pytest.mark.parametrize(
    "fields",
    [
        {"dtype": "banana"},
        {"dtype": "object"},
        {"dtype": "int64"},
        {"kind": "integer"},
        {"kind": "integer", "dtype": "int64", "nullable": True},
        {"unit": "cm"},
    ],
    ids=str,
)
def test_a_column_that_cannot_be_cast_is_no_column(fields: dict[str, object]) -> None:
    """What numpy cannot hold is refused when a manifest is read, not when the first request comes."""
    whole = column("length", "float64").model_dump()

    with pytest.raises(ValidationError):
        Column.model_validate({**whole, **fields})
