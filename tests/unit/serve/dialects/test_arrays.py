"""Arrow's arrays have the texts, numbers and booleans that they were made of."""

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from serve.dialects.arrays import are_set, decimals, flags, joined, merged, places, strings, values

texts = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=3))


@given(booleans=st.lists(st.booleans()), integers=st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_arrays_are_read_back_as_they_were(booleans: list[bool], integers: list[int]) -> None:
    """Booleans and integers are the same on both sides, also in a part of an array."""
    bits, numbers = flags(np.array(booleans, dtype=bool)), places(np.array(integers, dtype=np.int64))

    assert are_set(bits).tolist() == bits.to_pylist() == booleans
    assert values(numbers, np.int64).tolist() == integers
    assert are_set(bits[1:]).tolist() == booleans[1:]
    assert values(numbers[1:], np.int64).tolist() == integers[1:]


@given(first=texts, second=texts, data=st.data())
def test_two_arrays_are_merged_in_the_order_of_the_mask(
    first: list[str], second: list[str], data: st.DataObject
) -> None:
    """Each row takes the next text of the array that the mask names."""
    mask = data.draw(st.permutations([True] * len(first) + [False] * len(second)))

    whole = merged(strings(first), strings(second), np.array(mask, dtype=bool))

    left, right = iter(first), iter(second)
    assert whole.to_pylist() == [next(left) if is_first else next(right) for is_first in mask]


@given(column=texts.filter(bool))
def test_parts_are_joined_row_by_row(column: list[str]) -> None:
    """A single text is repeated in every row."""
    assert joined(["<", strings(column), ">"]).to_pylist() == [f"<{text}>" for text in column]


numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(rows=st.lists(st.tuples(numbers, numbers), min_size=1), lead=st.sampled_from(",;\t:"))
def test_numbers_are_written_as_in_json_and_read_back_equal(rows: list[tuple[float, float]], lead: str) -> None:
    """Each row is one text, and its numbers are parsed to the same bits, sign included."""
    written = decimals(np.array(rows), lead).to_pylist()

    assert written == ["".join(f"{lead}{to_json(value).decode()}" for value in row) for row in rows]
    read = [tuple(map(float, re.split(lead, text)[1:])) for text in written]
    assert list(map(repr, read)) == list(map(repr, rows))
