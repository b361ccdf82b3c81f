"""The parsing of JSON bodies, with limits on depth and size, and without repeated keys."""

import json

import numpy as np
from pydantic_core import from_json

from artifacts.number_formats import FloatLiteral
from serve.errors import InvalidInput

# A row is one list or object, and an invalid cell may be another; a body with far more is not parsed.
_CONTAINERS_A_ROW = 200

# Bytes that are examined at once, so that little memory is needed for a body of any size.
_CHUNK = 2**17

_STEPS = np.zeros(256, dtype=np.int8)
_STEPS[list(b"[{")] = 1
_STEPS[list(b"]}")] = -1


def parse(body: bytes, *, max_depth: int, max_rows: int) -> object:
    """
    Parse a JSON body.

    NaN and infinities are accepted here: the check of values refuses them by row and column.

    Raises:
        InvalidInput: The body is not JSON, is nested too deeply, has too many lists and objects, or a repeated key.
    """
    depth, containers, colons = _form(body)
    if depth > max_depth:
        raise InvalidInput("json-depth", f"the body is nested deeper than {max_depth} levels")
    if containers > _CONTAINERS_A_ROW * max_rows:
        raise InvalidInput(
            "too-many-rows",
            f"{containers} lists and objects were sent, and a request may have {max_rows} rows: send a CSV instead",
        )
    try:
        document: object = from_json(body, cache_strings="keys")
    except ValueError as error:
        if "number out of range" in str(error):
            raise InvalidInput("integer-too-long", "a number of the body has thousands of digits") from error
        raise InvalidInput("malformed-json", f"the body is not JSON: {error}") from error
    if colons > 1 and colons != _pairs(document):
        raise InvalidInput("duplicate-key", "an object of the body has a key twice")
    return document


def parse_exactly(body: bytes) -> object:
    """Parse a body that `parse` has accepted so that each float keeps its text."""
    return json.loads(body.decode(), parse_float=FloatLiteral, parse_constant=FloatLiteral)


def _form(body: bytes) -> tuple[int, int, int]:
    """Return the depth of a body, the number of its opening brackets and of its colons, all outside of strings."""
    # Remove escaped characters first, so that every remaining quote begins or ends a string.
    plain = body.replace(rb"\\", b"").replace(rb"\"", b"")
    within = level = deepest = opened = colons = 0
    for start in range(0, len(plain), _CHUNK):
        chunk = np.frombuffer(plain, np.uint8, min(_CHUNK, len(plain) - start), start)
        # A byte is inside a string where an odd number of quotes precedes it; wrapping at 256 keeps the parity.
        inside = (np.cumsum(chunk == ord('"'), dtype=np.uint8) + np.uint8(within)) & 1
        outside = chunk[inside == 0]
        steps = _STEPS[outside]
        levels = np.cumsum(steps, dtype=np.int32) + level
        within = int(inside[-1])
        level = int(levels[-1]) if levels.size else level
        deepest = max(deepest, int(levels.max(initial=0)))
        opened += int(np.count_nonzero(steps == 1))
        colons += int(np.count_nonzero(outside == ord(":")))
    return deepest, opened, colons


def _pairs(value: object) -> int:
    """Return the number of keys in all objects of a parsed document."""
    if isinstance(value, dict):
        return len(value) + sum(_pairs(inner) for inner in value.values() if isinstance(inner, dict | list))
    if isinstance(value, list) and not {float, int, str, bool, type(None)}.issuperset(map(type, value)):
        return sum(_pairs(inner) for inner in value if isinstance(inner, dict | list))
    return 0
