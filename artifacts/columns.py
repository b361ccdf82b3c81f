"""What one column of a table is, and the one check that every value of a batch passes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, model_validator

Scalar: TypeAlias = bool | int | float | str | None
Table: TypeAlias = NDArray[np.generic] | pd.DataFrame

MESSAGES = {
    "integer-too-long": "expected a number of at most {limit} digits",
    "non-finite": "expected a finite number",
    "not-a-number": "expected a number",
    "not-an-integer": "expected a whole number",
    "null": "expected a value: training saw no null here",
    "out-of-range": "expected a value that fits into {dtype}",
}


class Column(BaseModel):
    """One column as training saw it: what it holds, and what it may not hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Literal["float", "integer"]
    dtype: str
    nullable: bool
    minimum: int | float | None
    maximum: int | float | None
    example: int | float | None

    @model_validator(mode="after")
    def _can_be_cast(self) -> Self:
        # Found here, a column that numpy cannot hold is a manifest's mistake; later it would be every request's.
        try:
            kind = np.dtype(self.dtype).kind
        except TypeError as error:
            raise ValueError(f"{self.dtype!r} is no dtype") from error
        if kind not in ("f" if self.kind == "float" else "iu") or (self.nullable and self.kind == "integer"):
            raise ValueError(f"{self.dtype} holds no {'nullable ' if self.nullable else ''}{self.kind}")
        return self


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake, and the rows that made it; `column` is None where the row itself is at fault."""

    code: str
    message: str
    rows: NDArray[np.intp]
    column: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """
    Rows after the check: the good ones as the estimator was fitted, the mistakes of the others.

    Attributes:
        data: Shape (good rows, columns), an array or a frame with the dtypes of training.
        good: Shape (rows,), which of the rows that came in are in `data`.
        faults: Every mistake; a row is good exactly when no fault names it.
    """

    data: Table
    good: NDArray[np.bool_]
    faults: tuple[Fault, ...]


class Signature(BaseModel):
    """The columns of a model in their order, and the container that its estimator was fitted on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    container: Literal["array", "frame"]
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """The column names, in the model's order."""
        return [column.name for column in self.columns]

    def check(
        self,
        table: Sequence[Sequence[object]],
        *,
        rows: NDArray[np.intp] | None = None,
        size: int | None = None,
        faults: Sequence[Fault] = (),
        max_digits: int = 64,
    ) -> Batch:
        """
        Check a batch column by column and cast it to what the estimator was fitted on.

        Args:
            table: One sequence a column, in the model's order, all of one length.
            rows: Shape (length,), where each of them stood in the batch; by default 0, 1, 2, ...
            size: Rows in the batch, those that are not in `table` included.
            faults: What was found before: mistakes of whole rows.
            max_digits: The longest integer literal taken for a number.
        """
        length = len(table[0]) if table else 0
        rows = np.arange(length) if rows is None else rows
        size = length if size is None else size
        casts = [_cast(column, values, max_digits) for column, values in zip(self.columns, table, strict=True)]
        found = [
            Fault(fault.code, fault.message, rows[fault.rows], fault.column) for _, faulty in casts for fault in faulty
        ]
        good = np.ones(size, dtype=bool)
        for fault in (*faults, *found):
            good[fault.rows] = False
        keep = good[rows]
        every = bool(keep.all())
        arrays = [array if every else array[keep] for array, _ in casts]
        return Batch(self.assemble(arrays), good, (*faults, *found))

    def assemble(self, arrays: Sequence[NDArray[np.generic]]) -> Table:
        """Join checked columns to the array or frame that the estimator was fitted on."""
        if self.container == "frame":
            return pd.DataFrame(dict(zip(self.names, arrays, strict=True)))
        return np.column_stack(arrays)


def _cast(column: Column, values: Sequence[object], max_digits: int) -> tuple[NDArray[np.generic], list[Fault]]:
    """One column to its dtype: at C speed where every value is plainly right, value by value where not."""
    plain = {int} if column.kind == "integer" else {int, float}
    if column.nullable:
        plain |= {type(None)}
    if set(map(type, values)) <= plain:
        try:
            array = _plain(column, values, max_digits)
        except OverflowError:
            array = None
        if array is not None:
            return array, []
    return _careful(column, values, max_digits)


def _plain(column: Column, values: Sequence[object], max_digits: int) -> NDArray[np.generic] | None:
    """All values at once; None where one of them needs a closer look."""
    limit = 10**max_digits
    if column.kind == "integer":
        whole = np.array(values, dtype=column.dtype)
        return whole if bool(((whole < limit) & (whole > -limit)).all()) else None
    wide = np.array(values, dtype=np.float64)
    with np.errstate(over="ignore"):
        array = wide.astype(column.dtype)
    # A null has become NaN; a NaN that was sent must not pass for one.
    right = np.isfinite(array) & (np.abs(wide) < float(limit))
    return array if np.count_nonzero(right) + values.count(None) == len(values) else None


def _careful(column: Column, values: Sequence[object], max_digits: int) -> tuple[NDArray[np.generic], list[Fault]]:
    """Value by value: what is right is cast, each mistake is filed under its code."""
    judge = _Judge(column, max_digits)
    judged = [judge(value) for value in values]
    wrong: dict[str, list[int]] = {}
    for row, value in enumerate(judged):
        if isinstance(value, _Wrong):
            wrong.setdefault(value.code, []).append(row)
    clean = [0 if isinstance(value, _Wrong) else value for value in judged]
    faults = [
        Fault(code, MESSAGES[code].format(dtype=column.dtype, limit=max_digits), np.array(rows), column.name)
        for code, rows in wrong.items()
    ]
    return np.array(clean, dtype=column.dtype), faults


@dataclass(frozen=True, slots=True)
class _Wrong:
    """A value that may not pass, and why."""

    code: str


class _Judge:
    """What one value is to a column: itself, cast, or a mistake."""

    def __init__(self, column: Column, max_digits: int) -> None:
        self._nullable = column.nullable
        self._whole = column.kind == "integer"
        self._too_long = 10**max_digits
        self._dtype = np.dtype(column.dtype)

    def __call__(self, value: object) -> Scalar | _Wrong:
        if value is None:
            return None if self._nullable else _Wrong("null")
        if isinstance(value, str) and value.strip().lower().lstrip("+-") in {"nan", "inf", "infinity"}:
            return _Wrong("non-finite")
        if isinstance(value, bool) or not isinstance(value, int | float):
            return _Wrong("not-a-number")
        if isinstance(value, int) and abs(value) >= self._too_long:
            return _Wrong("integer-too-long")
        if isinstance(value, float) and not np.isfinite(value):
            return _Wrong("non-finite")
        return self._integer(value) if self._whole else self._float(value)

    def _integer(self, value: float) -> Scalar | _Wrong:
        if value != int(value):
            return _Wrong("not-an-integer")
        bounds = np.iinfo(self._dtype)
        return int(value) if bounds.min <= int(value) <= bounds.max else _Wrong("out-of-range")

    def _float(self, value: float) -> Scalar | _Wrong:
        try:
            with np.errstate(over="ignore"):
                fits = bool(np.isfinite(self._dtype.type(value)))
        except OverflowError:
            fits = False
        return value if fits else _Wrong("out-of-range")
