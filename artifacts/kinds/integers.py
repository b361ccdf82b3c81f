"""Columns of integers."""

from pydantic_core import CoreSchema, core_schema

from artifacts.kinds.base import Wrong
from artifacts.kinds.numbers import NumberKind, whole


class IntegerKind(NumberKind):
    """A column of integers; 5.0 is one."""

    numpy = "iu"
    pandas = frozenset({f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)} | {"object"})
    json_type = "integer"
    filler = 0
    types = frozenset({int})

    def _fitted(self, number: float) -> object:
        integer = whole(number)
        if integer is None:
            return Wrong("not-an-integer")
        fits = not self.is_plain or self._info.min <= integer <= self._info.max
        return integer if fits else Wrong("out-of-range")

    def _fast_schema(self, max_digits: int) -> CoreSchema | None:
        least, most = self.fast_bounds(max_digits)
        return core_schema.int_schema(strict=True, ge=int(least), le=int(most)) if self.is_plain else None
