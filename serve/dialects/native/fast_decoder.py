"""The fast decoder: it decodes valid bodies without a look at any single value, and decides on no others."""

import re
from collections.abc import Callable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, TypeAlias

import numpy as np
import simdjson
from numpy.typing import NDArray
from pydantic_core import CoreSchema, SchemaValidator, ValidationError, core_schema

from artifacts.kinds import kind_of
from artifacts.kinds.numbers import NumberKind
from artifacts.signature import Signature, Table

Rows: TypeAlias = list[Sequence[Any]] | Table
"""Valid rows in the model's order: few as lists of native values, many as a table."""

# The depth of a document besides its values: `{`, `[` of the instances, `[` of a row.
_DEPTH = 3
# From this size on, it is faster to parse all numbers into one array than to make an object of each.
_MANY_BYTES = 1024
# The characters of numbers, and the blanks between them. What is left of a body of vectors is its structure.
_OF_NUMBERS = b"0123456789.-+eE \t\r\n"
# A literal that is not an integer, or maybe not exactly: with an exponent, or with more than zeros after the point.
_NO_INTEGER = re.compile(rb"[0-9][eE]|\.(?!0+(?![0-9]))")
_OPENING, _CLOSING = b'{"instances":['.translate(None, _OF_NUMBERS), b"]}"

Decode: TypeAlias = Callable[[bytes], Rows | None]


def fast_decoder(signature: Signature, *, max_depth: int, max_rows: int, max_digits: int) -> Decode | None:
    """
    Return a function that decodes the bodies of a model.

    The rows that it returns are those of the row-by-row decoder, value for value; where it cannot decide, it returns
    None. There is no such function where no schema describes a column exactly.
    """
    kinds = [kind_of(column) for column in signature.columns]
    schemas = [schema for kind in kinds if (schema := kind.fast_schema(max_digits))]
    if max_depth < _DEPTH or len(schemas) < len(kinds):
        return None
    values = _Values(signature.names, schemas, has_texts=any(str in kind.types for kind in kinds), max_rows=max_rows)
    numbers = [kind for kind in kinds if isinstance(kind, NumberKind) and kind.column.dtype[0].islower()]
    if len(numbers) < len(kinds):
        return values.decode
    matrix = _Matrix(signature, numbers, max_rows=max_rows, max_digits=max_digits)

    def decode(body: bytes) -> Rows | None:
        table = matrix.decode(body) if len(body) >= _MANY_BYTES else None
        return values.decode(body) if table is None else table

    return decode


class _Values:
    """Bodies of any values, each of which becomes an object."""

    def __init__(self, names: Sequence[str], cells: Sequence[CoreSchema], *, has_texts: bool, max_rows: int) -> None:
        self._width, self._has_texts = len(names), has_texts
        vector = (
            core_schema.list_schema(cells[0], min_length=len(names), max_length=len(names), strict=True)
            if all(cell == cells[0] for cell in cells)
            else core_schema.tuple_schema(list(cells), strict=True)
        )
        self._vectors = _document(vector, max_rows)
        fields = {name: core_schema.typed_dict_field(cell) for name, cell in zip(names, cells, strict=True)}
        self._records = _document(core_schema.typed_dict_schema(fields, extra_behavior="forbid", strict=True), max_rows)
        self._pick = picker(names)

    def decode(self, body: bytes) -> Rows | None:
        by_name = body.count(b"{") > 1
        try:
            rows: list[Any] = (self._records if by_name else self._vectors).validate_json(body)["instances"]
        except ValidationError:
            return None
        if by_name:
            rows = list(map(self._pick, rows))
        # Of a key that comes twice, only its quotes are left.
        texts = list(map(type, chain.from_iterable(rows))).count(str) if self._has_texts else 0
        keys = 1 + self._width * len(rows) if by_name else 1
        return rows if body.count(b'"') == 2 * (keys + texts) else None


class _Matrix:
    """Bodies of vectors of numbers: the structure is compared as a whole, the numbers go into one array."""

    def __init__(self, signature: Signature, kinds: Sequence[NumberKind], *, max_rows: int, max_digits: int) -> None:
        self._signature = signature
        self._max_rows, self._width = max_rows, len(kinds)
        bounds = np.array([kind.fast_bounds(max_digits) for kind in kinds], dtype=np.float64)
        self._least, self._most = bounds.T.copy()
        self._dtypes = [kind.dtype for kind in kinds]
        self._integers = [place for place, kind in enumerate(kinds) if kind.takes_integers]

    def decode(self, body: bytes) -> Table | None:
        count = body.count(b"[") - 1
        if not 0 < count <= self._max_rows:
            return None
        rows = (b"[" + b"," * (self._width - 1) + b"],") * count
        if body.translate(None, _OF_NUMBERS) != _OPENING + rows[:-1] + _CLOSING or not self._has_integers(body):
            return None
        try:
            instances = simdjson.Parser().parse(body)["instances"]  # type: ignore[index]
            flat = np.frombuffer(instances.as_buffer(of_type="d"), np.float64)  # type: ignore[union-attr]
        except (ValueError, KeyError, RuntimeError):
            # RuntimeError is for an integer beyond 64 bits.
            return None
        # Without a number, a row of one column has the structure of one with it.
        return self._table(flat.reshape(count, self._width)) if flat.size == count * self._width else None

    def _has_integers(self, body: bytes) -> bool:
        """Whether the literals in the columns of integers are integers."""
        # The only letters of such a body are those of "instances".
        if not self._integers or (b"." not in body and b"E" not in body and body.count(b"e") == 1):
            return True
        literals = body.split(b",")
        return not any(_NO_INTEGER.search(b",".join(literals[place :: self._width])) for place in self._integers)

    def _table(self, rows: NDArray[np.float64]) -> Table | None:
        """Return numbers of shape (rows, columns) as the model needs them; None if one does not fit."""
        # A NaN fits nowhere.
        if not ((rows >= self._least) & (rows <= self._most)).all():
            return None
        if len(set(self._dtypes)) == 1:
            return rows.astype(self._dtypes[0])
        return self._signature.table([rows[:, place].astype(dtype) for place, dtype in enumerate(self._dtypes)])


def picker(names: Sequence[str]) -> Callable[[Any], Sequence[Any]]:
    """Return a function that takes the values of these names from an object."""
    pick = itemgetter(*names)
    return pick if len(names) > 1 else lambda row: (pick(row),)


def _document(row: CoreSchema, max_rows: int) -> SchemaValidator:
    rows = core_schema.list_schema(row, min_length=1, max_length=max_rows, strict=True)
    fields = {"instances": core_schema.typed_dict_field(rows)}
    return SchemaValidator(core_schema.typed_dict_schema(fields, extra_behavior="forbid", strict=True))
