"""The columns that a fitted model was fitted on, as each library keeps them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Features:
    """
    The columns of a fitted model, as far as it keeps them.

    Attributes:
        names: Their names in order; None if it was fitted on an array, or does not keep them.
        width: How many there are; None if it does not keep that.
    """

    names: tuple[str, ...] | None = None
    width: int | None = None

    def are(self, columns: Sequence[str]) -> bool:
        """Return whether these can be its columns, in order; LightGBM keeps `_` for anything but letters and digits."""
        return self.names is None or _underscored(self.names) == _underscored(columns)

    def places(self, columns: Sequence[str]) -> dict[str, str]:
        """Return the column of each name that the model keeps; a name without a column is left out."""
        known = {_underscore(column): column for column in columns} | {column: column for column in columns}
        return {name: known[name] for name in self.names or () if name in known}


def features_of(model: Any) -> Features:
    """
    Return the columns that a model was fitted on.

    scikit-learn keeps `feature_names_in_` and `n_features_in_`, and so does LightGBM, which makes names up for an
    array; XGBoost keeps the names in its booster; CatBoost keeps `feature_names_`, and forgets the rest when it is
    pickled. A Pipeline and a search have the columns of their first step or best model.
    """
    inner = first_step(model)
    if inner is not model:
        features = features_of(inner)
        return features if features != Features() else _of_sklearn(model)
    libraries = {kind.__module__.partition(".")[0] for kind in type(model).__mro__}
    if "catboost" in libraries:
        return _of_names(getattr(model, "feature_names_", None), "{place}")
    if "xgboost" in libraries and hasattr(model, "get_booster"):
        booster = model.get_booster()
        return Features(None if booster.feature_names is None else tuple(booster.feature_names), booster.num_features())
    if "lightgbm" in libraries:
        return _of_names(getattr(model, "feature_name_", None), "Column_{place}")
    return _of_sklearn(model)


def first_step(model: Any) -> Any:
    """Return what gets the columns: the first step of a Pipeline, the best model of a search, or the model."""
    steps = getattr(model, "steps", None)
    if isinstance(steps, list):
        return next((step for _, step in steps if step is not None and not isinstance(step, str)), model)
    return getattr(model, "best_estimator_", model)


def _of_sklearn(model: Any) -> Features:
    names, width = getattr(model, "feature_names_in_", None), getattr(model, "n_features_in_", None)
    # A CatBoost model in a vote or a calibration has 0 once it is unpickled; no model is fitted on no columns.
    return Features(None if names is None else tuple(map(str, names)), width or None)


def _of_names(names: Sequence[str] | None, made_up: str) -> Features:
    """Return the features of a library that makes up names for the columns of an array."""
    if not names:
        return Features()
    is_array = list(names) == [made_up.format(place=place) for place in range(len(names))]
    return Features(None if is_array else tuple(names), len(names))


def _underscored(names: Sequence[str]) -> list[str]:
    return [_underscore(name) for name in names]


def _underscore(name: str) -> str:
    return re.sub(r"\W", "_", str(name))
