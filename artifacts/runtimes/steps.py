"""What comes before a model, replayed in numpy: each step takes a table and gives an array of rows and columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from artifacts.signature import Table

Matrix: TypeAlias = NDArray[Any]


class Step(Protocol):
    """One step; the same operations in the same order as scikit-learn's, so that the bits are the same."""

    def __call__(self, rows: Table, /) -> Matrix: ...


@dataclass(frozen=True)
class Numbers:
    """Some columns of numbers side by side, as scikit-learn makes one array of a frame's."""

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
    A column of few values, each with the numbers that the encoder made of it.

    Attributes:
        place: Which column.
        values: The values that are known, in the order of the table.
        table: Shape (values + 2, width): the numbers for each value, for a null, and for a value that is not known.
        is_strict: Whether the encoder refuses what it does not know.
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
    Columns of numbers of which only some values are known, as an encoder meets them behind another.

    Attributes:
        values: Of each column the known values, ascending.
        tables: Of each column shape (values + 2, width), as of `Coded`.
        is_strict: As of `Coded`.
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
        raise ValueError("a value that the encoder does not know")
    return table[codes]


def _found(known: Matrix, column: Matrix) -> NDArray[np.intp]:
    places = np.minimum(np.searchsorted(known, column), len(known) - 1)
    unknown = np.where(np.isnan(column), len(known), len(known) + 1)
    return np.where(known[places] == column, places, unknown)


@dataclass(frozen=True)
class Finite:
    """
    Passes what scikit-learn's next step would take.

    Attributes:
        takes_nulls: Whether a null is taken; an infinity never is.
    """

    takes_nulls: bool

    def __call__(self, rows: Table, /) -> Matrix:
        matrix = np.asarray(rows)
        refused = np.isinf(matrix) if self.takes_nulls else ~np.isfinite(matrix)
        if refused.any():
            raise ValueError("a number became infinite on its way")
        return matrix


@dataclass(frozen=True)
class Fill:
    """Nulls become the value of their column (`SimpleImputer`)."""

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
    """One where a column has a null, else zero (`MissingIndicator`)."""

    places: tuple[int, ...]

    def __call__(self, rows: Table, /) -> Matrix:
        missing: Matrix = np.isnan(np.asarray(rows)[:, self.places])
        return missing


@dataclass(frozen=True)
class Arithmetic:
    """
    One operation after the other with a value a column: what scalers do.

    Attributes:
        signs: Of `-`, `/`, `*` and `+`, one an operand.
        operands: Shape (columns,) each.
    """

    signs: tuple[str, ...]
    operands: tuple[Matrix, ...]

    def __call__(self, rows: Table, /) -> Matrix:
        scaled = np.array(rows)
        for sign, operand in zip(self.signs, self.operands, strict=True):
            # In the precision of the rows, as scikit-learn has it.
            UFUNCS[sign](scaled, operand.astype(scaled.dtype, copy=False), out=scaled)
        return scaled


UFUNCS = {"-": np.subtract, "/": np.divide, "*": np.multiply, "+": np.add}


@dataclass(frozen=True)
class Clip:
    """No number below the one or above the other."""

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
    """What several steps make of the same rows, side by side (`ColumnTransformer`)."""

    parts: tuple[Any, ...]

    def __call__(self, rows: Table, /) -> Matrix:
        return np.concatenate([part(rows) for part in self.parts], axis=1)


STEPS: Sequence[type] = (Numbers, Take, Coded, Binned, Finite, Fill, Missing, Arithmetic, Clip, Project, Chain, Beside)
