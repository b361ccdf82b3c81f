"""Numbers as texts: the shortest that read back equal, spelled as in JSON."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic_core import to_json


def decimal(value: float) -> str:
    """One number."""
    return to_json(value).decode()


def decimals(values: NDArray[np.float64], lead: str) -> pa.StringArray:
    """
    The numbers of each row as one text, a sign before each of them.

    Args:
        values: Shape (rows, numbers), of at least one.
        lead: The sign; one that is in no number.
    """
    sign = lead.encode()
    listed = to_json(values.ravel().tolist())
    text = sign + (listed if sign == b"," else listed.replace(b",", sign))[1:-1]
    places = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == sign[0])[:: values.shape[1]]
    ends = np.append(places, len(text)).astype(np.int32)
    return pa.StringArray.from_buffers(len(values), pa.py_buffer(ends), pa.py_buffer(text))
