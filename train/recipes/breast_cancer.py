"""Breast cancer: whether a tumour is malignant, from 30 measures of its cells (Wolberg 1995)."""

from typing import Any

import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier

from train.recipes import Recipe


def load() -> tuple[pd.DataFrame, "pd.Series[Any]"]:
    """569 tumours: 30 measures of the nuclei in an image, and 0 for malignant, 1 for benign."""
    cancer = load_breast_cancer(as_frame=True)
    return cancer.data.rename(columns=lambda name: name.replace(" ", "_")), cancer.target.rename("diagnosis")


def estimator() -> HistGradientBoostingClassifier:
    """Seeded histogram boosting."""
    return HistGradientBoostingClassifier(random_state=0)


RECIPE = Recipe(
    name="breast_cancer",
    load=load,
    estimator=estimator,
    thresholds={"accuracy": 0.93},
    source="Breast Cancer Wisconsin (Diagnostic), Wolberg 1995, carried by scikit-learn",
    labels=("malignant", "benign"),
)
