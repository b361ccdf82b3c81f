"""What a step of a fitted pipeline is handed: columns of the table, or an array that a step before it made."""

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
    Some columns on their way through a pipeline.

    Attributes:
        width: How many columns there are by now.
        steps: What was done so far.
        signature: Of the columns of the table, where they still are such; None for an array.
        places: Where each of these stands in the table.
        may_overflow: Whether a step before may have made a number infinite.
    """

    width: int
    steps: tuple[Any, ...] = ()
    signature: Signature | None = None
    places: tuple[int, ...] = ()
    may_overflow: bool = False

    @classmethod
    def of(cls, signature: Signature) -> "Source":
        """All columns of a table."""
        return cls(len(signature.columns), (), signature, tuple(range(len(signature.columns))))

    @property
    def columns(self) -> Sequence[Column]:
        """The columns of the table; of an array, none."""
        return () if self.signature is None else self.signature.columns

    @property
    def step(self) -> Any:
        """All that was done, as one step."""
        return self.steps[0] if len(self.steps) == 1 else Chain(self.steps)

    @property
    def is_numeric(self) -> bool:
        """Whether an array of numbers can be made of it."""
        return self.signature is None or all(_is_number(column) for column in self.columns)

    def fork(self) -> "Source":
        """Where several steps begin that are handed the same: the columns of the table, or an array made by now."""
        return self if self.signature else Source(self.width, may_overflow=self.may_overflow)

    def join(self, parts: Sequence["Source"]) -> "Source":
        """What these steps, which began at `fork`, have made, side by side."""
        width = sum(part.width for part in parts)
        beside = parts[0].step if len(parts) == 1 else Beside(tuple(part.step for part in parts))
        joined = Source(width, (beside,)) if self.signature else self.then(beside, width)
        return replace(joined, may_overflow=any(part.may_overflow for part in parts))

    def take(self, places: Sequence[int]) -> "Source":
        """Some of the columns."""
        if self.signature is None:
            return self.then(Take(tuple(places)), len(places))
        known = self.signature.model_copy(update={"columns": tuple(self.columns[place] for place in places)})
        return Source(len(places), (), known, tuple(self.places[place] for place in places))

    def as_array(self, *, keep: bool = False) -> "Source":
        """
        The same as an array of numbers.

        Args:
            keep: Whether integers stay what they are, as far as all are of one dtype: for what rounds them by itself.

        Raises:
            NotLowered: Not all of them are numbers.
        """
        if self.signature is None:
            return self
        strange = [column for column in self.columns if not _is_number(column)]
        if strange:
            raise NotLowered(f"column {strange[0].name!r} is of dtype {strange[0].dtype}, and no number of numpy's")
        common = np.result_type(*(column.dtype for column in self.columns))
        # As scikit-learn takes numbers: single precision stays, everything else becomes double.
        is_kept = common == np.float32 or (keep and common.kind in "iu")
        return Source(self.width, (Numbers(self.places, common.name if is_kept else "float64"),))

    def then(self, step: Any, width: int) -> "Source":
        """What the next step makes of an array."""
        array = self.as_array()
        overflows = array.may_overflow or isinstance(step, Arithmetic | Project)
        return Source(width, (*array.steps, step), may_overflow=overflows)

    def met_by(self, transformer: Any) -> "Source":
        """The same, refused where scikit-learn's transformers refuse it: when a number has become infinite."""
        if not self.may_overflow:
            return self
        takes_nulls = bool(get_tags(transformer).input_tags.allow_nan)
        return replace(self, steps=(*self.steps, Finite(takes_nulls)), may_overflow=False)


def _is_number(column: Column) -> bool:
    # The dtypes of pandas begin with a capital letter, or are these two.
    is_numpys = column.dtype[0].islower() and column.dtype not in {"boolean", "object"}
    return is_numpys and column.kind in {"float", "integer", "boolean"}
