"""The arguments of `publish`, as one value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike

from artifacts import Store
from artifacts.columns import Unknown
from artifacts.number_formats import NumberFormat
from artifacts.signature import UnknownNames
from train.errors import NotPublishable
from train.own_code import Paths


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PublishRequest:
    """What is to be published, and how; see `publish` for each field."""

    estimator: Any
    X: Any
    y: ArrayLike | None
    name: str
    columns: Sequence[str] | None
    labels: Sequence[str] | Mapping[Any, str] | None
    held_back: tuple[Any, ArrayLike] | None
    scores: Mapping[str, float] | None
    unknown: Unknown
    categories: Mapping[str, Sequence[Any]] | None
    csv_nulls: Sequence[str]
    unknown_names: UnknownNames
    nullable: Sequence[str]
    fractions: Sequence[str]
    number_formats: Mapping[str, NumberFormat] | None
    unlabelled: Any
    examples: bool
    sample: bool
    compiled: bool
    promote: bool
    force: bool
    source: str
    tolerance: float
    deadline_s: float | None
    cache: bool
    code: Paths
    store: Store

    def __post_init__(self) -> None:
        """
        Check the arguments that have a fixed set or range of values.

        Raises:
            NotPublishable: One of them is outside of it.
        """
        if not 0 <= self.tolerance < np.inf:
            raise NotPublishable(f"tolerance must be a finite number, 0 or more, and is {self.tolerance}")
        for argument, value, choices in (
            ("unknown", self.unknown, get_args(Unknown)),
            ("unknown_names", self.unknown_names, get_args(UnknownNames)),
        ):
            if value not in choices:
                raise NotPublishable(f"{argument} must be one of {', '.join(choices)}, and is {value!r}")
        if isinstance(self.csv_nulls, str) or not all(isinstance(cell, str) for cell in self.csv_nulls):
            raise NotPublishable('csv_nulls must be a list of texts, as the CSV has these cells: ["NA", "-999"]')
