"""
Fit the four models of the comparison once, pickle them for the peers, and publish them for sepal.

    python -m benchmarks.serving.models FOLDER

This is a separate process, so that the measuring process shares no memory page of a library with a server.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier

from artifacts import Store
from artifacts.keys import Keys
from benchmarks.serving.peer import KEY
from train import publish
from train.recipes import Recipe, breast_cancer, iris, penguins


@dataclass(frozen=True)
class Fitted:
    """An estimator and the rows that it was fitted on."""

    name: str
    recipe: Recipe
    estimator: Any
    X: Any
    y: Any


def fit_all() -> list[Fitted]:
    """Fit the models; numbers are arrays, as is usual, so that no peer gets a warning about missing column names."""
    forest = RandomForestClassifier(n_estimators=100, random_state=0)
    return [
        _fit("iris", iris.RECIPE, iris.RECIPE.estimator(), as_array=True),
        _fit("forest", breast_cancer.RECIPE, forest, as_array=True),
        _fit("boosting", breast_cancer.RECIPE, breast_cancer.RECIPE.estimator(), as_array=True),
        _fit("penguins", penguins.RECIPE, penguins.RECIPE.estimator(), as_array=False),
    ]


def _fit(name: str, recipe: Recipe, estimator: Any, *, as_array: bool) -> Fitted:
    X, y = recipe.load()
    fitted_on = X.to_numpy() if as_array else X
    return Fitted(name, recipe, estimator.fit(fitted_on, y), fitted_on, y)


def publish_all(models: Sequence[Fitted], store: Store) -> None:
    """Publish the models with `train.publish`."""
    for model in models:
        columns = None if isinstance(model.X, pd.DataFrame) else list(model.recipe.load()[0].columns)
        publish(
            model.estimator, model.X, model.y,
            name=model.name, columns=columns, labels=model.recipe.labels, store=store,
        )  # fmt: skip


def table(model: Fitted) -> dict[str, Any]:
    """Return the rows as JSON values, shuffled with nulls first, and the offline predictions for them."""
    frame = model.recipe.load()[0]
    order = np.random.default_rng(0).permutation(len(frame))
    order = np.concatenate([order[~_is_whole(frame, order)], order[_is_whole(frame, order)]])
    shown = frame.astype(object).where(frame.notna(), None).iloc[order]
    expected = model.estimator.predict(model.X)[order].tolist()
    names = dict(zip(map(str, model.estimator.classes_), model.recipe.labels or (), strict=False))
    return {
        "columns": list(frame.columns),
        "rows": shown.to_numpy().tolist(),
        "expected": [str(label) for label in expected],
        "names": [names.get(str(label), str(label)) for label in expected],
    }


def _is_whole(frame: pd.DataFrame, order: Any) -> Any:
    return frame.notna().all(axis=1).to_numpy()[order]


def main() -> None:
    """Write the pickles, the store and the tables."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    models = fit_all()
    for model in models:
        joblib.dump(model.estimator, folder / f"{model.name}.joblib")
        if isinstance(model.X, pd.DataFrame):
            dtypes = {name: str(dtype) for name, dtype in model.X.dtypes.items()}
            (folder / f"{model.name}.dtypes.json").write_text(json.dumps(dtypes))
    publish_all(models, Store(folder / "store", keys=Keys((), folder / KEY, is_own=True)))
    (folder / "tables.json").write_text(json.dumps({model.name: table(model) for model in models}))


if __name__ == "__main__":
    main()
