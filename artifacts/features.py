"""The columns that a model was fitted on, as each library stores them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Features:
    """
    What a fitted model knows about its columns.

    Attributes:
        names: In their order; None if it was fitted on an array, or does not store them.
        width: How many there are; None if it does not store that.
    """

    names: tuple[str, ...] | None = None
    width: int | None = None

    def match(self, columns: Sequence[str]) -> bool:
        """Return whether these can be its columns, in this order."""
        return self.names is None or _as_lightgbm(self.names) == _as_lightgbm(columns)

    def places(self, columns: Sequence[str]) -> dict[str, str]:
        """Return the column of each name that the model stores; names without a column are left out."""
        known = dict(zip(_as_lightgbm(columns), columns, strict=True)) | {column: column for column in columns}
        return {name: known[name] for name in self.names or () if name in known}


def features_of(model: Any) -> Features:
    """
    Return the columns that a model was fitted on.

    scikit-learn stores `feature_names_in_` and `n_features_in_`, and so does LightGBM, which invents names for an
    array; XGBoost stores the names in its booster; CatBoost stores `feature_names_`, and loses the rest when it is
    pickled. A Pipeline and a search know what their first step or best model knows.
    """
    inner = first_step(model)
    if inner is not model:
        features = features_of(inner)
        return features if features != Features() else _of_sklearn(model)
    libraries = {kind.__module__.partition(".")[0] for kind in type(model).__mro__}
    if "catboost" in libraries:
        return _unless_invented(getattr(model, "feature_names_", None), "{place}")
    if "xgboost" in libraries and hasattr(model, "get_booster"):
        booster = model.get_booster()
        return Features(None if booster.feature_names is None else tuple(booster.feature_names), booster.num_features())
    if "lightgbm" in libraries:
        return _unless_invented(getattr(model, "feature_name_", None), "Column_{place}")
    return _of_sklearn(model)


def first_step(model: Any) -> Any:
    """Return what gets the columns: the first step of a Pipeline, the best model of a search, or the model."""
    steps = getattr(model, "steps", None)
    if isinstance(steps, list):
        return next((step for _, step in steps if step is not None and not isinstance(step, str)), model)
    return getattr(model, "best_estimator_", model)


def _of_sklearn(model: Any) -> Features:
    names, width = getattr(model, "feature_names_in_", None), getattr(model, "n_features_in_", None)
    # A CatBoost model in a vote or a calibration has 0 once it is unpickled.
    return Features(None if names is None else tuple(map(str, names)), width or None)


def _unless_invented(names: Sequence[str] | None, invented: str) -> Features:
    """Return the features of a library that invents names for the columns of an array."""
    if not names:
        return Features()
    is_array = list(names) == [invented.format(place=place) for place in range(len(names))]
    return Features(None if is_array else tuple(names), len(names))


def _as_lightgbm(names: Sequence[str]) -> list[str]:
    """Return names as LightGBM stores them, with `_` for whatever is not a letter or a digit."""
    return [re.sub(r"\W", "_", str(name)) for name in names]
