"""Columns of booleans."""

from pydantic_core import CoreSchema, core_schema

from artifacts.kinds.base import CellReader, ColumnKind, Wrong
from artifacts.kinds.cells import boolean_reader


class BooleanKind(ColumnKind):
    """A column of true and false."""

    numpy = "b"
    pandas = frozenset({"boolean", "object"})
    json_type = "boolean"
    filler = False
    types = frozenset({bool})

    def judge(self, value: object, limit: int) -> object:  # noqa: ARG002
        return value if isinstance(value, bool) else Wrong("not-a-boolean")

    def cell_reader(self, nulls: frozenset[str]) -> CellReader:
        return boolean_reader(nulls)

    def spellings(self) -> list[str]:
        return ["true", "True", "TRUE", "1", "false", "False", "FALSE", "0"]

    def _fast_schema(self, max_digits: int) -> CoreSchema | None:  # noqa: ARG002
        return core_schema.bool_schema(strict=True)
