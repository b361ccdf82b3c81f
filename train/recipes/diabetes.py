"""Diabetes: how far it progresses in a year, from ten measures (Efron et al. 2004, carried by scikit-learn)."""

from typing import Any

import pandas as pd
from sklearn.datasets import load_diabetes
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from train.recipes import Recipe


def load() -> tuple[pd.DataFrame, "pd.Series[Any]"]:
    """442 patients: ten measures in their own units, and the progression after a year, 25 to 346."""
    diabetes = load_diabetes(as_frame=True, scaled=False)
    return diabetes.data, diabetes.target.rename("progression")


def estimator() -> Pipeline:
    """A scaler and a ridge regression with a cross-validated penalty; nothing in it is random."""
    return make_pipeline(StandardScaler(), RidgeCV(alphas=(0.1, 1.0, 10.0, 100.0)))


RECIPE = Recipe(
    name="diabetes",
    load=load,
    estimator=estimator,
    thresholds={"r2": 0.3},
    source="Diabetes data, Efron, Hastie, Johnstone and Tibshirani 2004, carried by scikit-learn",
)
