"""Columns of free text."""

from pydantic_core import CoreSchema, core_schema

from artifacts.kinds.base import CellReader, ColumnKind, Wrong
from artifacts.kinds.cells import text_reader


class TextKind(ColumnKind):
    """A column of any texts."""

    numpy = "U"
    pandas = frozenset({"str", "string", "object"})
    json_type = "string"
    unit = " characters"
    filler = ""
    types = frozenset({str})

    def judge(self, value: object, limit: int) -> object:  # noqa: ARG002
        if self._is_too_long(value):
            return Wrong("text-too-long")
        return value if isinstance(value, str) else Wrong("not-a-text")

    def cell_reader(self, nulls: frozenset[str]) -> CellReader:
        # In a column without nulls an empty cell can only be the empty text, if training saw one.
        keeps_empty = self.column.minimum == 0 and not self.column.nullable
        return text_reader(nulls, (), keeps_empty=keeps_empty)

    def _fast_schema(self, max_digits: int) -> CoreSchema | None:  # noqa: ARG002
        return core_schema.str_schema(strict=True, max_length=self.longest or None)
