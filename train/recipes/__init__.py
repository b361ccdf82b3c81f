"""Recipes: one short file per model, with its data and its estimator."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True, slots=True)
class Recipe:
    """
    How one model is trained.

    Attributes:
        name: The model's name in the store.
        load: Returns the columns and the target.
        estimator: Returns a new, unfitted, seeded estimator.
        thresholds: The least value of each score on held-back rows; below it, nothing is published.
        source: Where the rows are from.
        labels: The label of each class, in ascending order of the classes; None keeps the classes.
        csv_nulls: Cells that mean null if this table is a CSV, in addition to the empty one.
    """

    name: str
    load: Callable[[], tuple[pd.DataFrame, "pd.Series[Any]"]]
    estimator: Callable[[], Any]
    thresholds: Mapping[str, float]
    source: str
    labels: Sequence[str] | None = None
    csv_nulls: Sequence[str] = ()


def all_recipes() -> dict[str, Recipe]:
    """Return every recipe by its name; a new one is added here."""
    from train.recipes import breast_cancer, diabetes, iris, penguins

    return {recipe.name: recipe for recipe in (m.RECIPE for m in (iris, breast_cancer, diabetes, penguins))}
