"""One column of a table: its kind, its dtype, and what training saw in it."""

from typing import TYPE_CHECKING, Literal, Self, TypeAlias

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    NonNegativeInt,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    model_validator,
)

from artifacts.kinds import KINDS
from artifacts.number_formats import NumberFormat
from artifacts.text import shorten

if TYPE_CHECKING:
    import pandas as pd

Scalar: TypeAlias = bool | int | float | str | None
Kind: TypeAlias = Literal["float", "integer", "boolean", "category", "text"]
Unknown: TypeAlias = Literal["refuse", "pass"]
Level: TypeAlias = StrictBool | StrictInt | StrictFloat | StrictStr


class Category(BaseModel):
    """One value of a category, and in how many rows of training it occurs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: Level
    count: NonNegativeInt


class Column(BaseModel):
    """
    One column: which values are valid in it, as training rows, or a sample of them, show.

    Attributes:
        dtype: As numpy or pandas names it; `U` is numpy's array of texts.
        nullable: Whether these rows have a null, or the publisher showed that the model accepts one.
        required: Whether callers must send it; the model ignores a column that is not required.
        null: What a null was in a column of dtype object: `nan` or `none`.
        minimum, maximum: The range of the numbers, or of the lengths of a text in characters.
        categories: The values of a category; where the dtype is `category`, all of its levels in their order.
        levels: The dtype of these levels.
        ordered: Whether they are ordered.
        unknown: How an unknown category is handled: refused, or passed to the estimator.
        example: A value that works.
        sampled: Whether nulls, range and categories are those of a sample of rows, and those of training are unknown.
        numbers: How a CSV writes the numbers of this column; None means as JSON does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Kind
    dtype: str
    nullable: bool
    required: bool = True
    null: Literal["nan", "none"] = "nan"
    minimum: int | float | None = None
    maximum: int | float | None = None
    categories: tuple[Category, ...] = ()
    levels: str = ""
    ordered: bool = False
    unknown: Unknown = "refuse"
    example: Scalar = None
    sampled: bool = False
    numbers: NumberFormat | None = None

    @property
    def known(self) -> list[bool | int | float | str]:
        """The values of a category."""
        return [category.value for category in self.categories]

    @property
    def saw(self) -> str:
        """Where nulls, range and categories come from, as the beginning of a sentence about them."""
        return "the sample that it was published with has" if self.sampled else "training saw"

    @property
    def level_dtype(self) -> "pd.CategoricalDtype":
        """The pandas dtype of a column of dtype `category`."""
        # A server whose models need no frame never imports pandas.
        import pandas as pd

        return pd.CategoricalDtype(pd.Index(self.known, dtype=self.levels), ordered=self.ordered)

    @model_validator(mode="after")
    def _can_be_cast(self) -> Self:
        # A dtype that cannot hold the column is an error of the manifest here; later every request would fail.
        if (self.minimum is None) != (self.maximum is None):
            raise ValueError("minimum and maximum must be given together")
        kind = KINDS[self.kind]
        if self.numbers and not kind.is_numeric:
            raise ValueError(f"a column of kind {self.kind} has no number format")
        if self.dtype in kind.pandas:
            if self.dtype == "category" and not self._has_levels():
                raise ValueError("the levels of a category must be distinct values of their dtype")
            return self
        try:
            dtype = np.dtype(self.dtype)
        except TypeError as error:
            raise ValueError(f"'{shorten(self.dtype)}' is not a dtype") from error
        # Spelled exactly so: "<U2" would cut texts, and no caller can send the digits of a wider float.
        is_plain = self.dtype in {dtype.name, "U"} and dtype.itemsize <= 8
        if not is_plain or dtype.kind not in kind.numpy or (self.nullable and dtype.kind != "f"):
            raise ValueError(f"{shorten(self.dtype)} cannot hold a {'nullable ' if self.nullable else ''}{self.kind}")
        return self

    def _has_levels(self) -> bool:
        try:
            return self.level_dtype.categories.tolist() == self.known
        except (TypeError, ValueError, OverflowError, NotImplementedError):
            return False
