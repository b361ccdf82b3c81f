"""What every kind of column has in common: the rules from which each check, decoder and schema is derived."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

from pydantic_core import CoreSchema, core_schema

if TYPE_CHECKING:
    from artifacts.columns import Column

CellReader: TypeAlias = Callable[[Sequence[str]], Sequence[object]]

# numpy reserves for every text of an array the length of the longest.
_RESERVED = 1024


class Wrong(NamedTuple):
    """Why a value is invalid: the code of the fault, and what is appended to its message."""

    code: str
    hint: str = ""


class ColumnKind:
    """
    The rules of one column; each kind of column is a subclass.

    Attributes:
        numpy: The kinds of numpy's dtypes that hold its values; `pandas` are the dtypes that pandas adds.
        is_numeric: Whether a CSV may write its values in a number format.
        filler: Stands for an invalid value until its row is left out.
        unit: What `minimum` and `maximum` of the column count, after a blank.
        types: The types of values that are valid without a closer look, where `are_valid`.
        longest: The most characters of a text in a numpy array of texts; 0 is any number.
    """

    numpy: ClassVar[str]
    pandas: ClassVar[frozenset[str]]
    json_type: ClassVar[str]
    is_numeric: ClassVar[bool] = False
    unit: ClassVar[str] = ""
    filler: object = None
    types: frozenset[type]

    def __init__(self, column: "Column") -> None:
        self.column = column
        seen = [int(column.maximum or 0), *(len(str(value)) for value in column.known)] if column.dtype == "U" else []
        self.longest = max(_RESERVED, *seen) if seen else 0

    @property
    def takes_integers(self) -> bool:
        """Whether a number must be an integer exactly, so that a float may have lost what it was."""
        return self.types == {int}

    def are_valid(self, values: Sequence[Any], limit: int) -> bool:  # noqa: ARG002  # of numbers only
        """Whether all values, of the right types or None, are valid; False where it takes a closer look."""
        return not self.longest or max((len(value) for value in values if value is not None), default=0) <= self.longest

    def judge(self, value: object, limit: int) -> object:
        """
        Return a value other than null as the column holds it, or a `Wrong`.

        Args:
            value: As JSON or a CSV brought it.
            limit: Integers must be smaller.
        """
        raise NotImplementedError

    def cell_reader(self, nulls: frozenset[str]) -> CellReader:
        """
        Return what makes of CSV cells the values that JSON would have; a cell that does not fit stays a text.

        Args:
            nulls: Cells that mean null besides the empty one; a category of that name stays one.
        """
        raise NotImplementedError

    def spellings(self) -> list[str]:
        """Return all cells that are valid in a CSV; empty if there may be others."""
        return []

    def json_schema(self) -> dict[str, Any]:
        """Return what OpenAPI says of a value."""
        return {"type": [self.json_type, "null"] if self.column.nullable else self.json_type}

    def fast_schema(self, max_digits: int) -> CoreSchema | None:
        """Return a schema that only valid values pass, unchanged or as `judge` makes them; None if there is none."""
        schema = self._fast_schema(max_digits)
        return core_schema.nullable_schema(schema) if schema and self.column.nullable else schema

    def _fast_schema(self, max_digits: int) -> CoreSchema | None:
        raise NotImplementedError

    def _is_too_long(self, value: object) -> bool:
        return bool(self.longest) and isinstance(value, str) and len(value) > self.longest
