"""Penguins: which of three species, from numbers and texts with nulls in both (Gorman et al. 2014)."""

from importlib.resources import files
from typing import Any

import pandas as pd
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from train.recipes import Recipe

# As in the file of the palmerpenguins package; other copies of the same table have empty cells instead.
_NULL = "NA"


def load() -> tuple[pd.DataFrame, "pd.Series[Any]"]:
    """344 penguins: island and sex as texts, four measures and a year as numbers; 11 lack their sex, 2 all measures."""
    with (files("palmerpenguins") / "data" / "penguins.csv").open() as file:
        penguins = pd.read_csv(file, keep_default_na=False, na_values=["", _NULL])
    return penguins.drop(columns="species"), penguins["species"]


def estimator() -> Pipeline:
    """Medians and most frequent values for the nulls, texts one-hot, then a seeded forest."""
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    columns = ColumnTransformer(
        [("texts", texts, make_column_selector(dtype_include="str"))], remainder=SimpleImputer(strategy="median")
    )
    return make_pipeline(columns, RandomForestClassifier(random_state=0))


RECIPE = Recipe(
    name="penguins",
    load=load,
    estimator=estimator,
    thresholds={"accuracy": 0.95},
    source="Palmer penguins, Gorman, Williams and Fraser 2014, carried by the package palmerpenguins",
    csv_nulls=(_NULL,),
)
