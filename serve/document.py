"""A JSON body before anybody looks into it: parsable, not too deep, and no key twice in one object."""

import re

import numpy as np
from pydantic_core import from_json

from serve.errors import InvalidInput

# Possessive, and the closing quote optional: linear in the body's length, whatever the body is.
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_ALL_BYTES = bytes(range(256))
_NO_BRACKETS = bytes(set(_ALL_BYTES) - set(b"[]{}"))


def parse(body: bytes, *, max_depth: int) -> object:
    """
    Parse a JSON body.

    NaN and infinities pass: whoever checks the values refuses them by row and column.

    Raises:
        InvalidInput: It is not JSON, is nested too deep, or has a key twice.
    """
    skeleton = _STRINGS.sub(b"", body)
    if _depth(skeleton) > max_depth:
        raise InvalidInput("json-depth", f"the body is nested deeper than {max_depth} levels")
    try:
        document: object = from_json(body, cache_strings="keys")
    except ValueError as error:
        if "number out of range" in str(error):
            raise InvalidInput("integer-too-long", "a number of the body has thousands of digits") from error
        raise InvalidInput("malformed-json", f"the body is not JSON: {error}") from error
    if skeleton.count(b":") > 1 and skeleton.count(b":") != _pairs(document):
        raise InvalidInput("duplicate-key", "an object of the body has a key twice")
    return document


def _depth(skeleton: bytes) -> int:
    brackets = np.frombuffer(skeleton.translate(None, delete=_NO_BRACKETS), dtype=np.uint8)
    if not brackets.size:
        return 0
    steps = np.where((brackets == ord("[")) | (brackets == ord("{")), 1, -1)
    return int(np.cumsum(steps).max())


def _pairs(value: object) -> int:
    """How many keys a parsed document has kept, in all its objects."""
    if isinstance(value, dict):
        return len(value) + sum(_pairs(inner) for inner in value.values() if isinstance(inner, dict | list))
    if isinstance(value, list) and not {float, int, str, bool, type(None)}.issuperset(map(type, value)):
        return sum(_pairs(inner) for inner in value if isinstance(inner, dict | list))
    return 0
