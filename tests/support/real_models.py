"""Models of all kinds that publishers bring, fitted on data sets that packages contain."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from xgboost import XGBRegressor

from artifacts import Manifest, Store
from train import publish
from train.recipes import Recipe, all_recipes


@dataclass(frozen=True)
class Brought:
    """
    A fitted estimator, and what it was fitted on.

    Attributes:
        X: A frame, an array, or a series of texts.
        labels: The label of each class; None returns the class itself.
    """

    name: str
    estimator: Any
    X: Any
    y: Any
    labels: Any = None

    def publish(self, store: Store) -> Manifest:
        """Publish it to a store."""
        return publish(self.estimator, self.X, self.y, name=self.name, labels=self.labels, store=store)

    def expected(self, X: Any) -> list[Any]:
        """Return the offline predictions of the estimator, as the labels that callers get."""
        predicted = self.estimator.predict(X).tolist()
        if self.labels is None:
            return [float(value) if isinstance(value, float) else value for value in predicted]
        names = dict(zip(self.estimator.classes_.tolist(), self.labels, strict=True))
        return [names[value] for value in predicted]

    def probabilities(self, X: Any) -> NDArray[np.float64] | None:
        """Return shape (rows, classes); None for a regressor."""
        return self.estimator.predict_proba(X) if hasattr(self.estimator, "predict_proba") else None


def _recipe(recipe: Recipe) -> Brought:
    X, y = recipe.load()
    return Brought(recipe.name, recipe.estimator().fit(X, y), X, y, recipe.labels)


def _lightgbm() -> Brought:
    """Penguins again, texts as pandas categories and nulls left to the trees."""
    X, y = all_recipes()["penguins"].load()
    X = X.astype({"island": "category", "sex": "category", "year": "int16", "body_mass_g": "float32"})
    return Brought("lightgbm", LGBMClassifier(n_estimators=20, verbose=-1, n_jobs=1).fit(X, y), X, y)


def _xgboost() -> Brought:
    """Diabetes again, as an array of single precision."""
    X, y = load_diabetes(return_X_y=True)
    X = X.astype(np.float32)
    return Brought("xgboost", XGBRegressor(n_estimators=20, n_jobs=1).fit(X, y), X, y)


def _text() -> Brought:
    """A classifier of texts: which data set a line of a description belongs to."""
    sources = {"iris": load_iris(), "wine": load_wine(), "cancer": load_breast_cancer()}
    lines = [
        (line.strip(), name)
        for name, data in sources.items()
        for line in data.DESCR.splitlines()
        if line.strip(" -=:.|+")
    ]
    texts, topics = zip(*lines, strict=True)
    X, y = pd.Series(texts, name="line"), np.array(topics)
    return Brought("text", make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(X, y), X, y)


MODELS: dict[str, Callable[[], Brought]] = {
    **{name: lambda recipe=recipe: _recipe(recipe) for name, recipe in all_recipes().items()},  # type: ignore[misc]
    "lightgbm": _lightgbm,
    "xgboost": _xgboost,
    "text": _text,
}
