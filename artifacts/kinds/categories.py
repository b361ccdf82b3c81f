"""Columns of known values: texts, numbers or booleans."""

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

from pydantic_core import CoreSchema, core_schema

from artifacts.kinds.base import CellReader, ColumnKind, Wrong
from artifacts.kinds.cells import boolean_reader, number_reader, text_reader
from artifacts.kinds.numbers import non_finite, whole

if TYPE_CHECKING:
    from artifacts.columns import Column

_CODES = {str: "not-a-text", float: "not-a-number", int: "not-an-integer", bool: "not-a-boolean"}
_JSON_TYPES: dict[type, str] = {str: "string", float: "number", int: "integer", bool: "boolean"}


class CategoryKind(ColumnKind):
    """A column of a few values, of which others are refused or passed to the estimator."""

    numpy = "U"
    pandas = frozenset({"category", "str", "string", "object"})

    def __init__(self, column: "Column") -> None:
        super().__init__(column)
        self._known = frozenset(column.known)
        self._is_open = column.unknown == "pass"
        self._levels = frozenset(map(type, column.known)) or frozenset({str})
        self.types = self._levels | {int} if float in self._levels else self._levels
        self.filler = column.known[0] if column.known else None
        # The first matching code in the order of `_CODES` is that of a value of another type.
        self._code = next(code for level, code in _CODES.items() if level in self.types)

    def are_valid(self, values: Sequence[Any], limit: int) -> bool:
        """Whether all pass for categories; an unknown float may be no number at all."""
        unknown = set(values) - self._known - {None}
        is_known = not unknown or (self._is_open and float not in set(map(type, unknown)))
        return is_known and super().are_valid(values, limit)

    def judge(self, value: object, limit: int) -> object:  # noqa: ARG002
        if self._is_too_long(value):
            return Wrong("text-too-long")
        if isinstance(value, float) and int in self.types:
            integer = whole(value) if isfinite(value) else None
            value = float(value) if integer is None else integer
        if isinstance(value, float) and float in self.types and not isfinite(value):
            return non_finite(value, self.column)
        if not isinstance(value, bool | int | float | str) or type(value) not in self.types:
            return Wrong(self._code)
        return value if value in self._known or self._is_open else Wrong("unknown-category")

    def cell_reader(self, nulls: frozenset[str]) -> CellReader:
        if self._levels == {str}:
            keeps_empty = "" in self._known and not self.column.nullable
            return text_reader(nulls, self._known, keeps_empty=keeps_empty)
        if self._levels == {bool}:
            return boolean_reader(nulls)
        return number_reader(nulls, is_exact=self.takes_integers, numbers=None)

    def spellings(self) -> list[str]:
        return [] if self._is_open else [str(value) for value in self.column.known]

    def json_schema(self) -> dict[str, Any]:
        if not self._is_open:
            return {"enum": [*self.column.known, None] if self.column.nullable else self.column.known}
        level = next((_JSON_TYPES[type(value)] for value in self.column.known if type(value) is not str), "string")
        return {"type": [level, "null"] if self.column.nullable else level}

    def _fast_schema(self, max_digits: int) -> CoreSchema | None:  # noqa: ARG002
        if not self._known:
            return None
        literal = core_schema.literal_schema(list(self.column.known))
        if self._levels == {str}:
            text = core_schema.str_schema(strict=True, max_length=self.longest or None)
            return text if self._is_open else literal
        if self._levels == {int} and not self._is_open:
            # A literal 1 alone would accept true.
            return core_schema.chain_schema([core_schema.int_schema(strict=True), literal])
        return None
