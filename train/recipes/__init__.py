"""The recipes: each a short file with a model's data and its estimator."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True, slots=True)
class Recipe:
    """
    How one model is made.

    Attributes:
        name: The model's name in the store.
        load: Gives the columns, a row an observation, and the class of each row.
        estimator: Gives a new, unfitted estimator, its randomness seeded.
        labels: What the caller is told for each class, in ascending order of the classes; None keeps the classes.
        thresholds: The least value of each score on held-back rows; below it nothing is published.
    """

    name: str
    load: Callable[[], tuple[pd.DataFrame, "pd.Series[Any]"]]
    estimator: Callable[[], Any]
    thresholds: Mapping[str, float]
    labels: Sequence[str] | None = None


def all_recipes() -> dict[str, Recipe]:
    """Every recipe by its name; a new one is added here."""
    from train.recipes import iris

    return {recipe.name: recipe for recipe in (iris.RECIPE,)}
