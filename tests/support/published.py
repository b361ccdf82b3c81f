"""Rows of every kind, and an estimator with the signature that `publish` derives from its rows."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from artifacts import Signature
from artifacts.predictions import label_map
from train.admission import container_of, labels_of, task_of
from train.fitted_model import FittedModel
from train.rows import Rows, as_rows
from train.signatures import columns_of

CHANCE = np.random.default_rng(0)
ROWS = 60
X = pd.DataFrame({"length": CHANCE.normal(size=ROWS), "width": CHANCE.normal(size=ROWS)})
Y = (X["length"] > 0).astype(int)
WEIGHT = 3 * X["length"] + 9
COLOUR = CHANCE.choice(["red", "green"], ROWS)
LINES = pd.Series([f"leaf {place} of a {colour} one" for place, colour in enumerate(COLOUR)], name="line")
MIXED = X.assign(
    colour=COLOUR,
    object=pd.Series(COLOUR, dtype=object).where(X["width"] > -1, None),
    grade=pd.Categorical(CHANCE.choice([3, 1, 2], ROWS), categories=[3, 1, 2], ordered=True),
    count=pd.Series(CHANCE.integers(0, 9, ROWS), dtype="Int64").where(X["width"] > 0),
    alive=(X["length"] > 0).astype("boolean").mask(X["width"] > 1),
)
ENCODED = make_pipeline(
    ColumnTransformer([("texts", OneHotEncoder(), ["colour", "object", "grade"])], remainder=SimpleImputer()),
    HistGradientBoostingClassifier(max_iter=3),
)


def model_of(estimator: Any, X: Any) -> tuple[FittedModel, Rows]:
    """Return an estimator with the signature of its rows, and the rows in the container that it was fitted on."""
    rows = as_rows(X)
    rows = rows if container_of(estimator, rows) == rows.container else rows.as_array()
    signature = Signature(container=rows.container, columns=columns_of(rows))
    lines = labels_of(estimator.classes_, None) if task_of(estimator) == "classification" else ()
    return FittedModel(estimator, label_map([line.label for line in lines]), signature), rows
