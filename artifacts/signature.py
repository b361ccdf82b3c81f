"""The columns of a model together: the check of a batch, and what the estimator is handed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self, TypeAlias, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, model_validator

from artifacts.columns import Column
from artifacts.values import Array, Check, Fault

# Generic to the type checker only: pydantic reads this at run time.
Table: TypeAlias = NDArray[np.generic] | pd.DataFrame | pd.Series
Container: TypeAlias = Literal["array", "frame", "series"]


@dataclass(frozen=True, slots=True)
class Batch:
    """
    Rows after the check: the good ones as the estimator was fitted, the mistakes of the others.

    Attributes:
        data: Shape (good rows, columns), an array, a frame or a series with the dtypes of training.
        good: Shape (rows,), which of the rows that came in are in `data`.
        faults: Every mistake; a row is good exactly when no fault names it.
    """

    data: Table
    good: NDArray[np.bool_]
    faults: tuple[Fault, ...]


class Signature(BaseModel):
    """
    The columns of a model in their order, and the container that its estimator was fitted on.

    Attributes:
        container: `series` is one column of texts, for an estimator that begins with a vectorizer.
        csv_nulls: Cells of a CSV that were nulls to training, besides the empty one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    container: Container
    columns: tuple[Column, ...]
    csv_nulls: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _series_is_one_column(self) -> Self:
        if self.container == "series" and len(self.columns) != 1:
            raise ValueError("a series is one column")
        return self

    @property
    def names(self) -> list[str]:
        """The column names, in the model's order."""
        return [column.name for column in self.columns]

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
        Check a batch column by column and cast it to what the estimator was fitted on.

        Args:
            table: One sequence a column, in the model's order, all of one length; None is a null.
            rows: Shape (length,), where each of them stood in the batch; by default 0, 1, 2, ...
            size: Rows in the batch, those that are not in `table` included.
            faults: What was found before: mistakes of whole rows.
            max_digits: The longest integer literal taken for a number.
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
        return Batch(self._assemble(arrays), good, (*faults, *found))

    def _assemble(self, arrays: Sequence[Array]) -> Table:
        """Join checked columns to what the estimator was fitted on."""
        if self.container == "frame":
            return pd.DataFrame({name: _kept(array) for name, array in zip(self.names, arrays, strict=True)})
        if self.container == "series":
            return pd.Series(_kept(arrays[0]), name=self.names[0])
        return np.column_stack(cast("Sequence[NDArray[np.generic]]", arrays))


def _kept(array: Array) -> "Array | pd.Series[Any]":
    """An array that pandas takes as it is: of objects that are all texts it would make its own dtype of texts."""
    return pd.Series(array, dtype=object) if array.dtype == object else array
