"""The columns of a model together: the check of a batch, and the table that the estimator gets."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, model_validator

from artifacts.columns import Column
from artifacts.values import Array, Check, Fault

if TYPE_CHECKING:
    from artifacts.frames import Fitted

Container: TypeAlias = Literal["array", "frame", "series"]
UnknownNames: TypeAlias = Literal["refuse", "ignore"]


@dataclass(frozen=True, slots=True)
class Columns:
    """Rows as one array per column, in the model's order and all of one length."""

    arrays: tuple[Array, ...]

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, rows: slice | NDArray[Any]) -> "Columns":
        return Columns(tuple(array[rows] for array in self.arrays))


Table: TypeAlias = NDArray[Any] | Columns
"""What a runtime predicts: shape (rows, columns) where all are of one dtype, else one array per column."""


def concatenated(tables: Sequence[Table]) -> Table:
    """Return the rows of all tables of one model as one table."""
    if isinstance(tables[0], Columns):
        columns = zip(*(table.arrays for table in tables if isinstance(table, Columns)), strict=True)
        return Columns(tuple(map(np.concatenate, columns)))
    return np.concatenate([table for table in tables if isinstance(table, np.ndarray)])


_NUMBERS = {"float16", "float32", "float64", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}


@dataclass(frozen=True, slots=True)
class Batch:
    """
    Rows after the check: a table of the valid ones, and the faults of the others.

    Attributes:
        data: Shape (good rows, columns).
        good: Shape (rows,), which of the rows are in `data`.
        faults: All faults; a row is good if no fault has it.
    """

    data: Table
    good: NDArray[np.bool_]
    faults: tuple[Fault, ...]


class Signature(BaseModel):
    """
    The columns of a model in their order, and the container that its estimator was fitted on.

    Attributes:
        container: `series` is one column of texts, for an estimator that begins with a vectorizer.
        csv_nulls: Cells of a CSV that training read as nulls, besides the empty one.
        unknown_names: Whether a row with a name that is not a column is refused, or the name ignored.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    container: Container
    columns: tuple[Column, ...]
    csv_nulls: tuple[str, ...] = ()
    unknown_names: UnknownNames = "refuse"

    @model_validator(mode="after")
    def _columns_hang_together(self) -> Self:
        if self.container == "series" and len(self.columns) != 1:
            raise ValueError("a series is one column")
        if len(set(self.names)) < len(self.columns):
            raise ValueError("two columns have the same name")
        return self

    @property
    def names(self) -> list[str]:
        """The column names, in the model's order."""
        return [column.name for column in self.columns]

    def with_columns(self, columns: Sequence[Column]) -> "Signature":
        """Return a copy with other columns, which may repeat; `model_copy` would keep the checks of the former ones."""
        return self.model_construct(**{**dict(self), "columns": tuple(columns)})

    @cached_property
    def _checks(self) -> list[Check]:
        return [Check(column) for column in self.columns]

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
        Check a batch column by column, and cast it to the dtypes of training.

        Args:
            table: One sequence per column, in the model's order, all of one length; None is a null.
            rows: Shape (length,), the place of each row in the batch; by default 0, 1, 2, ...
            size: How many rows the batch has, those that are not in `table` included.
            faults: Faults of rows as a whole, which were found before.
            max_digits: The longest integer that is taken for a number.
        """
        length = len(table[0]) if table else 0
        rows = np.arange(length) if rows is None else rows
        size = length if size is None else size
        casts = [check(values, max_digits=max_digits) for check, values in zip(self._checks, table, strict=True)]
        found = [
            Fault(fault.code, fault.message, rows[fault.rows], fault.column) for _, faulty in casts for fault in faulty
        ]
        good = np.ones(size, dtype=bool)
        for fault in (*faults, *found):
            good[fault.rows] = False
        keep = good[rows]
        every = bool(keep.all())
        arrays = [array if every else array[keep] for array, _ in casts]
        return Batch(self.table(arrays), good, (*faults, *found))

    def table(self, arrays: Sequence[Array]) -> Table:
        """Join checked arrays, one per column, to a table."""
        is_matrix = self.container == "array" or self._is_uniform
        return np.column_stack(arrays) if is_matrix else Columns(tuple(arrays))

    def assemble(self, rows: Sequence[Sequence[Any]]) -> Table:
        """Make a table of valid rows, without a check."""
        if self._is_uniform:
            return np.array(rows, dtype=self.columns[0].dtype)
        columns = zip(*rows, strict=True)
        return self.table([check.build(values) for check, values in zip(self._checks, columns, strict=True)])

    def as_fitted(self, table: Table) -> "Fitted":
        """Return a table as the array, frame or series that the estimator was fitted on, in its dtypes."""
        # A server whose models are all programs never imports pandas.
        from artifacts import frames

        if isinstance(table, np.ndarray) and self.container == "array":
            columns = enumerate(self.columns) if table.dtype == object else ()
            nulls = [frames.with_nulls(column, table[:, place]) for place, column in columns]
            return np.column_stack(nulls) if nulls else table
        if isinstance(table, np.ndarray):
            return frames.named(self.names, table)
        if self.container == "series":
            return frames.series(self.columns[0], table.arrays[0])
        return frames.frame(self.columns, table.arrays)

    @cached_property
    def _is_uniform(self) -> bool:
        """Whether all columns are numbers of one numpy dtype."""
        dtypes = {column.dtype for column in self.columns}
        return len(dtypes) == 1 and dtypes.pop() in _NUMBERS
