"""
Arrow's arrays from Python's and NumPy's, and back.

Arrow's own conversions import pandas, which takes 70 MiB.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic_core import to_json

N = TypeVar("N", bound=np.number[Any])


def strings(texts: Sequence[str]) -> pa.StringArray:
    """Return texts as an array."""
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))


def string(text: str) -> pa.StringScalar:
    """Return a text as a scalar, which Arrow repeats for every row."""
    return strings([text])[0]


def decimals(values: NDArray[np.float64], lead: str) -> pa.StringArray:
    """
    Return the numbers of each row as one text: the shortest that read back equal, as JSON writes them.

    Args:
        values: Shape (rows, numbers), with at least one number per row.
        lead: The character before each number; one that no number contains.
    """
    sign = lead.encode()
    listed = to_json(values.ravel().tolist())
    text = sign + (listed if sign == b"," else listed.replace(b",", sign))[1:-1]
    places = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == sign[0])[:: values.shape[1]]
    ends = np.append(places[: len(values)], len(text)).astype(np.int32)
    return pa.StringArray.from_buffers(len(values), pa.py_buffer(ends), pa.py_buffer(text))


def flags(are_set: NDArray[np.bool_]) -> pa.BooleanArray:
    """Return booleans of shape (n,) as an array."""
    bits = np.packbits(are_set, bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), len(are_set), [None, pa.py_buffer(bits)])


def places(numbers: NDArray[np.integer[Any]]) -> pa.Int64Array:
    """Return integers of shape (n,) as an array."""
    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(numbers.astype(np.int64, copy=False))])


def values(array: pa.Array, dtype: type[N]) -> NDArray[N]:
    """Return numbers of that many bits as shape (n,); a null becomes an arbitrary number."""
    held = np.frombuffer(array.buffers()[1], dtype=dtype)
    return held[array.offset : array.offset + len(array)]


def are_set(array: pa.BooleanArray) -> NDArray[np.bool_]:
    """Return an array without nulls as shape (n,)."""
    bits = np.frombuffer(array.buffers()[1], dtype=np.uint8)
    return np.unpackbits(bits, bitorder="little")[array.offset : array.offset + len(array)].view(bool)


def joined(parts: Sequence[pa.StringArray | str]) -> pa.StringArray:
    """Return the concatenation of the parts, row by row; a part that is one text is the same in every row."""
    scalars = [string(part) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*scalars, string(""))


def merged(first: pa.StringArray, second: pa.StringArray, is_first: NDArray[np.bool_]) -> pa.StringArray:
    """Return the texts of both arrays as one; shape (texts,) `is_first` says which of them each row takes next."""
    if not len(second):
        return first
    if not len(first):
        return second
    order = np.where(is_first, np.cumsum(is_first) - 1, len(first) + np.cumsum(~is_first) - 1)
    return pa.concat_arrays([first, second]).take(places(order))
