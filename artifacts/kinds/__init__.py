"""
The kinds of columns: one file per kind.

The check of `values.py`, the decoders of JSON and CSV, and OpenAPI are derived from the kind of a column.
A new kind is a subclass of `ColumnKind` in a file of its own, and an entry in the table below and in `columns.Kind`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from artifacts.kinds.base import ColumnKind
from artifacts.kinds.booleans import BooleanKind
from artifacts.kinds.categories import CategoryKind
from artifacts.kinds.floats import FloatKind
from artifacts.kinds.integers import IntegerKind
from artifacts.kinds.texts import TextKind

if TYPE_CHECKING:
    from artifacts.columns import Column

KINDS: Mapping[str, type[ColumnKind]] = MappingProxyType(
    {"float": FloatKind, "integer": IntegerKind, "boolean": BooleanKind, "category": CategoryKind, "text": TextKind}
)


def kind_of(column: "Column") -> ColumnKind:
    """Return the rules of a column."""
    return KINDS[column.kind](column)
