"""Arrow's arrays out of Python's and NumPy's and back; Arrow's own ways there import pandas, which takes 70 MiB."""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

N = TypeVar("N", bound=np.number[Any])


def strings(texts: Sequence[str]) -> pa.StringArray:
    """Texts as an array."""
    written = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, written)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(b"".join(written)))


def string(text: str) -> pa.StringScalar:
    """One text, which stands for an array of it."""
    return strings([text])[0]


def flags(are_set: NDArray[np.bool_]) -> pa.BooleanArray:
    """Shape (n,) as an array."""
    bits = np.packbits(are_set, bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), len(are_set), [None, pa.py_buffer(bits)])


def places(numbers: NDArray[np.integer[Any]]) -> pa.Int64Array:
    """Shape (n,) as an array."""
    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(numbers.astype(np.int64, copy=False))])


def values(array: pa.Array, dtype: type[N]) -> NDArray[N]:
    """Shape (n,): numbers of so many bits, in place of a null anything."""
    held = np.frombuffer(array.buffers()[1], dtype=dtype)
    return held[array.offset : array.offset + len(array)]


def are_set(array: pa.BooleanArray) -> NDArray[np.bool_]:
    """Shape (n,): the values of an array without nulls."""
    bits = np.frombuffer(array.buffers()[1], dtype=np.uint8)
    return np.unpackbits(bits, bitorder="little")[array.offset : array.offset + len(array)].view(bool)
