"""Columns of numbers with a fraction."""

import numpy as np
from pydantic_core import CoreSchema, core_schema

from artifacts.kinds.base import Wrong
from artifacts.kinds.numbers import NumberKind


class FloatKind(NumberKind):
    """A column of floats; integers are valid too."""

    numpy = "f"
    pandas = frozenset({"Float32", "Float64", "object"})
    json_type = "number"
    filler = 0.0
    types = frozenset({int, float})
    comma_hint = ": write a decimal point, not a comma"

    def _fitted(self, number: float) -> object:
        if not self._fits(number):
            return Wrong("out-of-range")
        # Objects are what they were: there an integer stays one.
        return number if not self.is_plain and type(number) is int else float(number)

    def _fits(self, number: float) -> bool:
        if abs(number) <= float(self._info.max):
            return True
        # A little more may still be rounded down.
        try:
            with np.errstate(over="ignore"):
                return bool(np.isfinite(self.dtype.type(number)))
        except OverflowError:
            return False

    def _fast_schema(self, max_digits: int) -> CoreSchema | None:
        least, most = self.fast_bounds(max_digits)
        return core_schema.float_schema(strict=True, allow_inf_nan=False, ge=least, le=most) if self.is_plain else None
