"""
The steps of a program before its head, in numpy: each turns a table into an array of rows and columns.

They do the same operations in the same order as scikit-learn, so that the bits are the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from artifacts.signature import Table

Matrix: TypeAlias = NDArray[Any]


@dataclass(frozen=True)
class Numbers:
    """Columns of numbers joined to one array, as scikit-learn converts a frame."""

    places: tuple[int, ...]
    dtype: str

    def __call__(self, rows: Table, /) -> Matrix:
        if isinstance(rows, np.ndarray):
            taken: Matrix = rows if self._is_whole(rows) else rows[:, self.places]
            return taken.astype(self.dtype, copy=False)
        joined = np.empty((len(rows), len(self.places)), dtype=self.dtype)
        for place, column in enumerate(self.places):
            joined[:, place] = rows.arrays[column]
        return joined

    def _is_whole(self, rows: Matrix) -> bool:
        return self.places == tuple(range(rows.shape[1]))


@dataclass(frozen=True)
class Take:
    """Some columns of an array."""

    places: tuple[int, ...]

    def __call__(self, rows: Table, /) -> Matrix:
        return np.asarray(rows)[:, self.places]


@dataclass(frozen=True)
class Coded:
    """
    A column of few values, each replaced by the numbers that the encoder returned for it.

    Attributes:
        place: Which column.
        values: The known values, in the order of the table.
        table: Shape (values + 2, width): the numbers for each value, for a null, and for an unknown value.
        is_strict: Whether the encoder refuses unknown values.
    """

    place: int
    values: tuple[Any, ...]
    table: Matrix
    is_strict: bool

    def __call__(self, rows: Table, /) -> Matrix:
        column = rows[:, self.place] if isinstance(rows, np.ndarray) else rows.arrays[self.place]
        codes = map(self._codes.get, column.tolist(), repeat(len(self.values) + 1))
        return _looked_up(self.table, np.fromiter(codes, dtype=np.intp, count=len(column)), is_strict=self.is_strict)

    @cached_property
    def _codes(self) -> dict[Any, int]:
        return {**{value: code for code, value in enumerate(self.values)}, None: len(self.values)}


@dataclass(frozen=True)
class Binned:
    """
    Columns of numbers of which only some values are known, as when an encoder follows another one.

    Attributes:
        values: The known values of each column, ascending.
        tables: One table per column, see `Coded`.
        is_strict: See `Coded`.
    """

    values: tuple[Matrix, ...]
    tables: tuple[Matrix, ...]
    is_strict: bool

    def __call__(self, rows: Table, /) -> Matrix:
        matrix = np.asarray(rows)
        return np.concatenate(
            [
                _looked_up(table, _found(known, matrix[:, place]), is_strict=self.is_strict)
                for place, (known, table) in enumerate(zip(self.values, self.tables, strict=True))
            ],
            axis=1,
        )


def _looked_up(table: Matrix, codes: NDArray[np.intp], *, is_strict: bool) -> Matrix:
    if is_strict and codes.max(initial=0) == len(table) - 1:
        raise ValueError("the encoder does not know a value")
    return table[codes]


def _found(known: Matrix, column: Matrix) -> NDArray[np.intp]:
    places = np.minimum(np.searchsorted(known, column), len(known) - 1)
    unknown = np.where(np.isnan(column), len(known), len(known) + 1)
    return np.where(known[places] == column, places, unknown)


@dataclass(frozen=True)
class Finite:
    """
    Passes the rows on if scikit-learn's next step would accept them.

    Attributes:
        takes_nulls: Whether nulls are accepted; infinities never are.
    """

    takes_nulls: bool

    def __call__(self, rows: Table, /) -> Matrix:
        matrix = np.asarray(rows)
        refused = np.isinf(matrix) if self.takes_nulls else ~np.isfinite(matrix)
        if refused.any():
            raise ValueError("a number became infinite in a former step")
        return matrix


@dataclass(frozen=True)
class Fill:
    """Replace nulls by the value of their column (`SimpleImputer`)."""

    values: Matrix

    def __call__(self, rows: Table, /) -> Matrix:
        matrix = np.asarray(rows)
        missing = np.isnan(matrix)
        if not missing.any():
            return matrix
        filled = matrix.copy()
        np.copyto(filled, self.values, casting="same_kind", where=missing)
        return filled


@dataclass(frozen=True)
class Missing:
    """Return one for each null and zero for other values (`MissingIndicator`)."""

    places: tuple[int, ...]

    def __call__(self, rows: Table, /) -> Matrix:
        missing: Matrix = np.isnan(np.asarray(rows)[:, self.places])
        return missing


@dataclass(frozen=True)
class Arithmetic:
    """
    Operations with one value per column, one after the other, as scalers do.

    Attributes:
        signs: One of `-`, `/`, `*` and `+` per operand.
        operands: Shape (columns,) each.
    """

    signs: tuple[str, ...]
    operands: tuple[Matrix, ...]

    def __call__(self, rows: Table, /) -> Matrix:
        scaled = np.array(rows)
        for sign, operand in zip(self.signs, self.operands, strict=True):
            # In the precision of the rows, as in scikit-learn.
            UFUNCS[sign](scaled, operand.astype(scaled.dtype, copy=False), out=scaled)
        return scaled


UFUNCS = {"-": np.subtract, "/": np.divide, "*": np.multiply, "+": np.add}


@dataclass(frozen=True)
class Clip:
    """Limit numbers to a range."""

    low: float
    high: float

    def __call__(self, rows: Table, /) -> Matrix:
        clipped: Matrix = np.clip(np.asarray(rows), self.low, self.high)
        return clipped


@dataclass(frozen=True)
class Project:
    """Principal components: `rows @ components.T - offset` (`PCA`)."""

    components: Matrix
    offset: Matrix

    def __call__(self, rows: Table, /) -> Matrix:
        projected: Matrix = np.asarray(rows) @ self.components.T
        projected -= self.offset
        return projected


@dataclass(frozen=True)
class Chain:
    """One step after the other."""

    steps: tuple[Any, ...]

    def __call__(self, rows: Table, /) -> Matrix:
        for step in self.steps:
            rows = step(rows)
        return np.asarray(rows)


@dataclass(frozen=True)
class Beside:
    """The results of several steps for the same rows, joined (`ColumnTransformer`)."""

    parts: tuple[Any, ...]

    def __call__(self, rows: Table, /) -> Matrix:
        return np.concatenate([part(rows) for part in self.parts], axis=1)


STEPS: Sequence[type] = (Numbers, Take, Coded, Binned, Finite, Fill, Missing, Arithmetic, Clip, Project, Chain, Beside)
