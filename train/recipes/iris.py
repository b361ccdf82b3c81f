"""Iris: which of three species a flower is, from four lengths (Fisher 1936, carried by scikit-learn)."""

from typing import Any

import pandas as pd
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from train.recipes import Recipe


def load() -> tuple[pd.DataFrame, "pd.Series[Any]"]:
    """150 flowers: four lengths in centimetres, and the species as 0, 1 or 2."""
    iris = load_iris(as_frame=True)
    frame = iris.data.rename(columns=lambda name: name.removesuffix(" (cm)").replace(" ", "_"))
    return frame, iris.target.rename("species")


def estimator() -> Pipeline:
    """A scaler and a logistic regression; nothing in it is random."""
    return make_pipeline(StandardScaler(), LogisticRegression())


RECIPE = Recipe(
    name="iris",
    load=load,
    estimator=estimator,
    thresholds={"accuracy": 0.9},
    source="Iris plants database, Fisher 1936, carried by scikit-learn",
    labels=("setosa", "versicolor", "virginica"),
)
