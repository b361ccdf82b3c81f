"""A signature checks a batch of rows and assembles the container that the estimator was fitted on."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from artifacts.signature import Batch, Signature
from artifacts.values import Fault
from tests.support.column_samples import COLUMNS, LEVELS, anything, column, fitting

# A frame cannot hold numpy's text dtype: pandas converts it to its own.
IN_FRAMES = [one for one in COLUMNS if one.dtype != "U"]
FRAME = Signature(container="frame", columns=tuple(IN_FRAMES))


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_batch_may_be_cut_anywhere(data: st.DataObject) -> None:
    """Rows checked in two parts give the same bits, the same good rows and the same faults as in one."""
    columns = data.draw(st.lists(st.sampled_from(IN_FRAMES), min_size=1, max_size=4, unique_by=lambda one: one.name))
    signature = Signature(container="frame", columns=tuple(columns))
    rows = data.draw(st.lists(st.tuples(*(fitting(one) | anything for one in columns)), max_size=12))
    cut = data.draw(st.integers(0, len(rows)))

    whole, *parts = (
        signature.check(list(zip(*part, strict=True)) or [()] * len(columns)) for part in (rows, rows[:cut], rows[cut:])
    )

    joined = pd.concat([_texts_as_objects(fitted(signature, part)) for part in parts], ignore_index=True)
    pd.testing.assert_frame_equal(joined, _texts_as_objects(fitted(signature, whole)), check_exact=True)
    assert [*parts[0].good, *parts[1].good] == whole.good.tolist()
    assert _mistakes(parts[0].faults) | _mistakes(parts[1].faults, after=cut) == _mistakes(whole.faults)


def _texts_as_objects(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the same texts as objects: pandas cannot concatenate texts of Arrow with lone surrogates."""
    texts = [name for name, dtype in frame.dtypes.items() if isinstance(dtype, pd.StringDtype)]
    return frame.astype(dict.fromkeys(texts, object))


def fitted(signature: Signature, batch: Batch) -> Any:
    """Return the good rows in the container that the estimator was fitted on."""
    return signature.as_fitted(batch.data)


def _mistakes(faults: tuple[Fault, ...], *, after: int = 0) -> set[tuple[str, str | None, int]]:
    return {(fault.code, fault.column, after + row) for fault in faults for row in fault.rows.tolist()}


def test_other_columns_have_their_own_checks() -> None:
    """A copy with other columns builds their dtypes, also after the original has been used."""
    number, text = column("float", "float64", nullable=False), column("text", "object", nullable=False)
    signature = Signature(
        container="frame", columns=(number, text.model_copy(update={"name": "note"})), csv_nulls=("-",)
    )
    signature.assemble([[1.5, "a"]])

    texts = signature.with_columns(signature.columns[1:])

    assert texts.assemble([["a"]]).arrays[0].tolist() == ["a"]  # type: ignore[union-attr]  # texts are no matrix
    assert (texts.names, texts.csv_nulls) == (["note"], ("-",))


@pytest.mark.parametrize(("container", "kind"), [("array", np.ndarray), ("frame", pd.DataFrame)])
def test_the_container_is_that_of_training(container: Any, kind: type) -> None:
    """An estimator that was fitted on an array gets an array, one that was fitted on a frame gets a frame."""
    columns = (column("float", "float32"), column("float", "float32", nullable=False))

    signature = Signature(container=container, columns=columns)
    data = fitted(signature, signature.check([[1, 2], [3.5, None]]))

    assert isinstance(data, kind)
    assert np.asarray(data).dtype == np.float32
    assert np.asarray(data).tolist() == [[1.0, 3.5]]


@pytest.mark.parametrize("dtype", ["str", "string", "object"])
def test_a_series_is_for_one_column(dtype: str) -> None:
    """A vectorizer gets a series of the name and the dtype of training, and two columns are not a series."""
    one = column("text", dtype)

    signature = Signature(container="series", columns=(one,))
    data = fitted(signature, signature.check([["a", "b", 1]]))

    pd.testing.assert_series_equal(data, pd.Series(["a", "b"], name=one.name, dtype=dtype))
    with pytest.raises(ValidationError, match="a series is one column"):
        Signature(container="series", columns=(one, one))


@pytest.mark.parametrize(
    ("dtype", "rows", "kind"),
    [
        ("U", [["a", "b"], ["cd", "e"]], "U"),
        ("object", [["a", "b"], ["cd", "e"]], "O"),
        ("object", [["a"], ["b"]], "O"),
    ],
)
def test_an_array_has_one_dtype(dtype: str, rows: list[list[str]], kind: str) -> None:
    """Texts become an array of numpy's text dtype; an array of objects keeps that dtype, also if all are texts."""
    columns = tuple(column("text", dtype).model_copy(update={"name": f"x{place}"}) for place in range(len(rows)))
    signature = Signature(container="array", columns=columns)

    array = np.asarray(signature.check(rows).data)

    assert array.dtype.kind == kind
    assert array.T.tolist() == rows


def test_objects_that_are_all_texts_stay_objects() -> None:
    """A column of objects is not converted to pandas' text dtype, which an encoder would not recognise."""
    known = column("category", "object", known=["a", "b"])

    signature = Signature(container="frame", columns=(known, column("float", "object")))
    data = fitted(signature, signature.check([["a", "b"], [1.5, 2]]))

    assert data.dtypes.tolist() == [object, object]


@pytest.mark.parametrize("cells", [[], ["bad"]], ids=["empty", "bad"])
def test_a_frame_keeps_the_dtype_of_each_column(cells: list[str]) -> None:
    """A frame has the dtypes of training also if it has no rows."""
    batch = FRAME.check([cells] * len(IN_FRAMES))

    frame = fitted(FRAME, batch)
    assert len(frame) == 0
    assert frame.dtypes.astype(str).to_dict() == {one.name: one.dtype for one in IN_FRAMES}
    assert all(frame[one.name].dtype == one.level_dtype for one in IN_FRAMES if one.dtype == "category")


def test_rows_that_failed_before_keep_their_places() -> None:
    """Row numbers of faults include rows that were refused before their columns were checked."""
    before = Fault("wrong-length", "expected 1 cells, got 2", np.array([1]))
    signature = Signature(container="frame", columns=(column("float", "float64"),))

    batch = signature.check([[1.5, "x"]], rows=np.array([0, 2]), size=3, faults=[before])

    assert batch.good.tolist() == [True, False, False]
    assert [(fault.code, fault.rows.tolist()) for fault in batch.faults] == [
        ("wrong-length", [1]),
        ("not-a-number", [2]),
    ]
    assert np.asarray(batch.data).tolist() == [[1.5]]


def test_a_table_of_another_width_is_refused() -> None:
    """A table with one column too many is refused as a whole, so that values never get into another column."""
    signature = Signature(container="frame", columns=(column("float", "float64"),))

    with pytest.raises(ValueError, match="longer"):
        signature.check([[1.0], [2.0]])


def test_a_signature_is_read_as_it_was_written() -> None:
    """Every column of every kind is the same after JSON, the type of each of its categories included."""
    back = Signature.model_validate_json(FRAME.model_dump_json())

    assert back == FRAME
    assert [list(map(repr, one.known)) for one in back.columns] == [list(map(repr, one.known)) for one in IN_FRAMES]


@pytest.mark.parametrize("levels", LEVELS)
def test_levels_keep_their_order(levels: str) -> None:
    """The levels of a category are not sorted, because trees use their positions."""
    known = list(LEVELS[levels])

    dtype = column("category", "category", known=known, levels=levels, ordered=True).level_dtype

    assert dtype.categories.tolist() == known != sorted(known)
    assert dtype.categories.dtype == levels
    assert dtype.ordered
