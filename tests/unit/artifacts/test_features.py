"""Which columns a model was fitted on, for each library, also after pickling."""

import io
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from xgboost import XGBClassifier

from artifacts.features import Features, features_of
from tests.support import tiny_models

CHANCE = np.random.default_rng(0)
X = pd.DataFrame({"leaf length": CHANCE.normal(size=40), "width": CHANCE.normal(size=40)})
Y = (X["width"] > 0).astype(int)
MODELS: dict[str, Callable[[], Any]] = {
    "sklearn": LogisticRegression,
    "lightgbm": lambda: LGBMClassifier(n_estimators=2, verbose=-1, n_jobs=1),
    "xgboost": lambda: XGBClassifier(n_estimators=2, n_jobs=1),
    "catboost": lambda: CatBoostClassifier(iterations=2, verbose=False, thread_count=1, allow_writing_files=False),
}
WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "bare": lambda model: model,
    "pipeline": lambda model: make_pipeline("passthrough", model),
    "search": lambda model: GridSearchCV(model, {}, cv=2),
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("library", MODELS)
@pytest.mark.filterwarnings("ignore:Found whitespace in feature_names")
def test_names_and_number_of_columns_are_found(library: str, wrapper: str) -> None:
    """Of a frame the names, of an array their number; the same of the pickled model."""
    framed = WRAPPERS[wrapper](MODELS[library]()).fit(X, Y)
    arrayed = WRAPPERS[wrapper](MODELS[library]()).fit(X.to_numpy(), Y)

    for model in (framed, joblib.load(io.BytesIO(tiny_models.pickle(framed)))):
        assert features_of(model).match(["leaf length", "width"])
        assert not features_of(model).match(["width", "leaf length"])
        assert features_of(model).width == 2
    for model in (arrayed, joblib.load(io.BytesIO(tiny_models.pickle(arrayed)))):
        assert features_of(model) == Features(None, 2)


def test_lightgbm_stores_underscores() -> None:
    """LightGBM stores `leaf_length` for a column `leaf length`."""
    features = Features(("leaf_length", "width", "gone"), 3)

    assert features.places(["width", "leaf length"]) == {"leaf_length": "leaf length", "width": "width"}


def test_a_model_without_column_names_matches_any() -> None:
    """A model without any such attribute may have any columns."""
    assert features_of(object()) == Features()
    assert Features().match(["a", "b"])
