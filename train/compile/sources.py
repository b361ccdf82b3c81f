"""The input of a step of a fitted pipeline: columns of the table, or the array of the step before."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.utils import get_tags

from artifacts.columns import Column
from artifacts.runtimes.steps import Arithmetic, Beside, Chain, Finite, Numbers, Project, Take
from artifacts.signature import Signature
from train.compile.errors import NotLowered


@dataclass(frozen=True, slots=True)
class Source:
    """
    Some columns at one place in a pipeline.

    Attributes:
        width: The number of columns at this place.
        steps: The steps so far.
        signature: The columns of the table, before any step; None for an array.
        places: The place of each of these columns in the table.
        may_overflow: Whether an earlier step may have made a number infinite.
    """

    width: int
    steps: tuple[Any, ...] = ()
    signature: Signature | None = None
    places: tuple[int, ...] = ()
    may_overflow: bool = False

    @classmethod
    def of(cls, signature: Signature) -> "Source":
        """Return all columns of a table."""
        return cls(len(signature.columns), (), signature, tuple(range(len(signature.columns))))

    @property
    def columns(self) -> Sequence[Column]:
        """The columns of the table; none for an array."""
        return () if self.signature is None else self.signature.columns

    @property
    def step(self) -> Any:
        """All steps as one."""
        return self.steps[0] if len(self.steps) == 1 else Chain(self.steps)

    @property
    def is_numeric(self) -> bool:
        """Whether it can be converted to an array of numbers."""
        return self.signature is None or all(_is_number(column) for column in self.columns)

    def fork(self) -> "Source":
        """Return the common input of several parallel steps."""
        return self if self.signature else Source(self.width, may_overflow=self.may_overflow)

    def join(self, parts: Sequence["Source"]) -> "Source":
        """Return the outputs of parallel steps, which began at `fork`, side by side."""
        width = sum(part.width for part in parts)
        step = parts[0].step if len(parts) == 1 else Beside(tuple(part.step for part in parts))
        joined = Source(width, (step,)) if self.signature else self.then(step, width)
        return replace(joined, may_overflow=any(part.may_overflow for part in parts))

    def take(self, places: Sequence[int]) -> "Source":
        """Return some of the columns."""
        if self.signature is None:
            return self.then(Take(tuple(places)), len(places))
        known = self.signature.with_columns([self.columns[place] for place in places])
        return Source(len(places), (), known, tuple(self.places[place] for place in places))

    def as_array(self, *, keep: bool = False) -> "Source":
        """
        Return the columns as an array of numbers.

        Args:
            keep: Whether integers of one dtype stay integers, for a model that rounds them itself.

        Raises:
            NotLowered: Not all of them are numbers.
        """
        if self.signature is None:
            return self
        strange = [column for column in self.columns if not _is_number(column)]
        if strange:
            raise NotLowered(f"column {strange[0].name!r} has dtype {strange[0].dtype}, not a numeric one of numpy")
        common = np.result_type(*(column.dtype for column in self.columns))
        # As scikit-learn converts numbers: single precision stays, everything else becomes double.
        is_kept = common == np.float32 or (keep and common.kind in "iu")
        return Source(self.width, (Numbers(self.places, common.name if is_kept else "float64"),))

    def then(self, step: Any, width: int) -> "Source":
        """Return the output of the next step."""
        array = self.as_array()
        overflows = array.may_overflow or isinstance(step, Arithmetic | Project)
        return Source(width, (*array.steps, step), may_overflow=overflows)

    def checked_for(self, transformer: Any) -> "Source":
        """Return the input of a transformer, with the check of scikit-learn's transformers for infinite numbers."""
        if not self.may_overflow:
            return self
        takes_nulls = bool(get_tags(transformer).input_tags.allow_nan)
        return replace(self, steps=(*self.steps, Finite(takes_nulls)), may_overflow=False)


def _is_number(column: Column) -> bool:
    # Dtypes of pandas begin with a capital letter, or are these two.
    is_numpys = column.dtype[0].islower() and column.dtype not in {"boolean", "object"}
    return is_numpys and column.kind in {"float", "integer", "boolean"}
