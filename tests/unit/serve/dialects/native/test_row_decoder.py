"""The row-by-row decoder: rows as a whole first, then their values column by column."""

from typing import Any

import numpy as np
import pytest

from artifacts import Column, Signature
from artifacts.number_formats import FloatLiteral
from serve.dialects.native.row_decoder import MaybeRounded, RowDecoder
from serve.errors import InvalidInput
from tests.support.tiny_models import LIMITS

SIGNATURE = Signature(
    container="frame",
    columns=(
        Column(name="a", kind="float", dtype="float64", nullable=False),
        Column(name="b", kind="integer", dtype="int64", nullable=False),
        Column(name="c", kind="text", dtype="str", nullable=False, required=False, example="x"),
    ),
)
DECODER = RowDecoder(SIGNATURE, LIMITS)


def _faults(value: object, decoder: RowDecoder = DECODER) -> list[tuple[str, str | None, list[int]]]:
    return [(fault.code, fault.column, fault.rows.tolist()) for fault in decoder.check(value).faults]


@pytest.mark.parametrize("row", [[0.5, 1, "x"], {"b": 1, "a": 0.5, "c": "x"}, {"a": 0.5, "b": 1}])
def test_rows_are_vectors_or_objects(row: Any) -> None:
    """Names may have any order, and columns that the model ignores may be missing."""
    batch = DECODER.check([row, row])

    assert batch.good.all()
    assert not batch.faults
    assert not isinstance(batch.data, np.ndarray)
    assert [array.tolist() for array in batch.data.arrays] == [[0.5, 0.5], [1, 1], ["x", "x"]]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({}, "invalid-instances"),
        ([], "no-rows"),
        ([[]] * 41, "too-many-rows"),
        ([1, 2], "flat-vector"),
        ([[1], {}], "mixed-instances"),
        ([[1] * 65], "too-many-features"),
    ],
)
def test_invalid_instances_are_refused(value: object, code: str) -> None:
    """The whole request is refused with a separate code."""
    with pytest.raises(InvalidInput) as caught:
        DECODER.check(value)

    assert caught.value.code == code


def test_rows_with_a_fault_of_their_own_keep_the_others_in_place() -> None:
    """The row numbers of faults of values include the rows that are refused as a whole."""
    assert _faults([[1], [1, "x", "x"], 5, [1, 2, "x"]]) == [
        ("wrong-length", None, [0]),
        ("not-a-row", None, [2]),
        ("not-a-number", "b", [1]),
    ]
    assert _faults([{"a": 1}, {"a": 1, "b": 2, "x": 1, "y": 2}, {"a": 1, "b": 2}, None]) == [
        ("missing-column", "b", [0]),
        ("unknown-column", "x", [1]),
        ("not-a-row", None, [3]),
    ]


def test_unknown_names_may_be_ignored() -> None:
    """Unknown names are no fault if the model was published with unknown_names="ignore"."""
    decoder = RowDecoder(SIGNATURE.model_copy(update={"unknown_names": "ignore"}), LIMITS)

    assert _faults([{"a": 1, "b": 2, "x": 1}], decoder) == []


def test_a_float_for_an_integer_is_read_again_with_its_text() -> None:
    """A float may be rounded, so an integer column asks for a second parse that keeps the text of numbers."""
    with pytest.raises(MaybeRounded):
        DECODER.check([[1, 5.0, "x"]])
    assert _faults([[1, FloatLiteral("5.0"), "x"], [1, FloatLiteral("5.5"), "x"]]) == [("not-an-integer", "b", [1])]
