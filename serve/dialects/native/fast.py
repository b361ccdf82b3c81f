"""Bodies that are plainly right, read without a look at any single value; of all others it says nothing."""

import re
from collections.abc import Callable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, TypeAlias

import numpy as np
import simdjson
from numpy.typing import NDArray
from pydantic_core import CoreSchema, SchemaValidator, ValidationError, core_schema

from artifacts.columns import Column
from artifacts.signature import Signature, Table
from artifacts.values import longest

Rows: TypeAlias = list[Sequence[Any]] | Table
"""Rows in the model's order that pass its check with these very values: few as lists, many as a table."""

# Beyond it, an integer and the float that it becomes may differ.
_EXACT = 2**53
# What a document has besides its values: `{`, `[` of the instances, `[` of a row.
_DEPTH = 3
# From here on, to parse all numbers into one array is quicker than to make an object of each.
_MANY_BYTES = 1024
# What numbers are made of, and the blanks between them. What is left of a body of vectors is its structure.
_OF_NUMBERS = b"0123456789.-+eE \t\r\n"
# A literal that is no integer, or maybe not exactly: with an exponent, or with more than zeros after the point.
_NO_INTEGER = re.compile(rb"[0-9][eE]|\.(?!0+(?![0-9]))")
_OPENING, _CLOSING = b'{"instances":['.translate(None, _OF_NUMBERS), b"]}"


class Plain:
    """
    Reads the bodies of one model.

    Whatever it reads is what the careful way (`document`, `rows`, `artifacts.values`) would read, value for value;
    where it is in any doubt it says None, and the careful way decides.
    """

    def __init__(self, signature: Signature, *, max_rows: int, max_digits: int) -> None:
        self._signature = signature
        self._max_rows = max_rows
        self._width = len(signature.columns)
        self._has_texts = any(column.kind in {"text", "category"} for column in signature.columns)
        cells = [_cell(column, max_digits) for column in signature.columns]
        self._vectors = _document(_vector(cells), max_rows)
        self._records = _document(_record(signature.names, cells), max_rows)
        pick = itemgetter(*signature.names)
        self._pick: Callable[[Any], Sequence[Any]] = pick if self._width > 1 else lambda row: (pick(row),)
        self._numbers = _Numbers(signature, max_digits) if _are_numbers(signature) else None

    def read(self, body: bytes) -> Rows | None:
        """The rows of a body, or None if it is not plainly right."""
        if self._numbers and len(body) >= _MANY_BYTES:
            table = self._read_numbers(self._numbers, body)
            if table is not None:
                return table
        by_name = body.count(b"{") > 1
        try:
            rows: list[Any] = (self._records if by_name else self._vectors).validate_json(body)["instances"]
        except ValidationError:
            return None
        if by_name:
            rows = list(map(self._pick, rows))
        # A key that comes twice leaves no trace but its quotes.
        texts = list(map(type, chain.from_iterable(rows))).count(str) if self._has_texts else 0
        keys = 1 + self._width * len(rows) if by_name else 1
        return rows if body.count(b'"') == 2 * (keys + texts) else None

    def _read_numbers(self, numbers: "_Numbers", body: bytes) -> Table | None:
        """A body of vectors: its structure is compared as a whole, its numbers go into one array."""
        count = body.count(b"[") - 1
        if not 0 < count <= self._max_rows:
            return None
        rows = (b"[" + b"," * (self._width - 1) + b"],") * count
        if body.translate(None, _OF_NUMBERS) != _OPENING + rows[:-1] + _CLOSING:
            return None
        if not numbers.are_integers(body):
            return None
        try:
            instances = simdjson.Parser().parse(body)["instances"]  # type: ignore[index]
            flat = np.frombuffer(instances.as_buffer(of_type="d"), np.float64)  # type: ignore[union-attr]
        except (ValueError, KeyError, RuntimeError):
            # The last of an integer beyond 64 bits.
            return None
        # Without a number, a row of one column has the structure of one with it.
        return numbers.table(flat.reshape(count, self._width)) if flat.size == count * self._width else None


class _Numbers:
    """From doubles to the table of a model all of whose columns are numbers."""

    def __init__(self, signature: Signature, max_digits: int) -> None:
        self._signature = signature
        self._dtypes = [column.dtype for column in signature.columns]
        bounds = [_bounds(column, max_digits) for column in signature.columns]
        self._least = np.array([least for least, _ in bounds], dtype=np.float64)
        self._most = np.array([most for _, most in bounds], dtype=np.float64)
        self._whole = [index for index, column in enumerate(signature.columns) if column.kind == "integer"]

    def are_integers(self, body: bytes) -> bool:
        """Whether what a body of vectors has in the columns of integers are integers, by their text."""
        # Of letters, such a body has those of "instances".
        if not self._whole or (b"." not in body and b"E" not in body and body.count(b"e") == 1):
            return True
        literals, width = body.split(b","), len(self._dtypes)
        return not any(_NO_INTEGER.search(b",".join(literals[place::width])) for place in self._whole)

    def table(self, rows: NDArray[np.float64]) -> Table | None:
        """Shape (rows, columns) as the model wants it; None if a number does not fit."""
        # A NaN fits nowhere.
        if not ((rows >= self._least) & (rows <= self._most)).all():
            return None
        if len(set(self._dtypes)) == 1:
            return rows.astype(self._dtypes[0])
        return self._signature.table([rows[:, place].astype(dtype) for place, dtype in enumerate(self._dtypes)])


def plain(signature: Signature, *, max_depth: int, max_rows: int, max_digits: int) -> Plain | None:
    """What reads the plain bodies of a model; None if it has a column of which nothing is plain."""
    if max_depth < _DEPTH or not all(map(_is_plain, signature.columns)):
        return None
    return Plain(signature, max_rows=max_rows, max_digits=max_digits)


def _is_plain(column: Column) -> bool:
    """Whether what is read is what the careful way makes of it: among objects, an integer would stay one."""
    if column.kind == "category":
        kinds = set(map(type, column.known))
        return kinds == {str} or (kinds == {int} and column.unknown == "refuse")
    return column.kind not in {"float", "integer"} or column.dtype != "object"


def _are_numbers(signature: Signature) -> bool:
    return all(column.kind in {"float", "integer"} and column.dtype[0].islower() for column in signature.columns)


def _bounds(column: Column, max_digits: int) -> tuple[float, float]:
    """Between which numbers of a column are plain, both included."""
    most = float(min(_EXACT, 10**max_digits) - 1)
    if column.kind == "float":
        most = min(most, float(np.finfo(column.dtype.lower()).max))
        return -most, most
    held = np.iinfo(column.dtype.lower())
    return max(-most, float(held.min)), min(most, float(held.max))


def _cell(column: Column, max_digits: int) -> CoreSchema:
    schema = _value(column, max_digits)
    return core_schema.nullable_schema(schema) if column.nullable else schema


def _value(column: Column, max_digits: int) -> CoreSchema:
    if column.kind == "boolean":
        return core_schema.bool_schema(strict=True)
    if column.kind == "text" or (column.kind == "category" and column.unknown == "pass"):
        return core_schema.str_schema(strict=True, max_length=longest(column) or None)
    if column.kind == "category":
        literal = core_schema.literal_schema(list(column.known))
        # By itself, a literal 1 takes true for itself.
        is_text = isinstance(column.known[0], str)
        return literal if is_text else core_schema.chain_schema([core_schema.int_schema(strict=True), literal])
    least, most = _bounds(column, max_digits)
    if column.kind == "integer":
        return core_schema.int_schema(strict=True, ge=int(least), le=int(most))
    return core_schema.float_schema(strict=True, allow_inf_nan=False, ge=least, le=most)


def _vector(cells: list[CoreSchema]) -> CoreSchema:
    if all(cell == cells[0] for cell in cells):
        return core_schema.list_schema(cells[0], min_length=len(cells), max_length=len(cells), strict=True)
    return core_schema.tuple_schema(cells, strict=True)


def _record(names: list[str], cells: list[CoreSchema]) -> CoreSchema:
    fields = {name: core_schema.typed_dict_field(cell) for name, cell in zip(names, cells, strict=True)}
    return core_schema.typed_dict_schema(fields, extra_behavior="forbid", strict=True)


def _document(row: CoreSchema, max_rows: int) -> SchemaValidator:
    rows = core_schema.list_schema(row, min_length=1, max_length=max_rows, strict=True)
    fields = {"instances": core_schema.typed_dict_field(rows)}
    return SchemaValidator(core_schema.typed_dict_schema(fields, extra_behavior="forbid", strict=True))
