"""Replay fitted transformers of scikit-learn, step by step, in numpy."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectorMixin
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from artifacts.runtimes.steps import Arithmetic, Beside, Clip, Fill, Missing, Project
from train.compile.coding import ENCODERS, binned, coded
from train.compile.errors import NotLowered
from train.compile.sources import Source


def replay(transformer: Any, source: Source) -> Source:
    """
    Replay a fitted transformer.

    Raises:
        NotLowered: There is no exact replay of it, or of a part of it.
    """
    if transformer is None or transformer == "passthrough":
        return source
    if isinstance(transformer, ColumnTransformer):
        return _columns(transformer, source)
    if isinstance(transformer, FeatureUnion):
        return _union(transformer, source)
    if not source.is_numeric or _is_of_integers(transformer, source):
        return coded(transformer, source)
    if isinstance(transformer, Pipeline):
        for _, step in transformer.steps:
            source = replay(step, source)
        return source
    make = next((make for kind, make in _STEPS.items() if isinstance(transformer, kind)), None)
    if make is None or not type(transformer).__module__.startswith("sklearn."):
        raise NotLowered(f"cannot compile {type(transformer).__name__}")
    return make(transformer, source.as_array().checked_for(transformer))


def _is_of_integers(transformer: Any, source: Source) -> bool:
    """Return whether an encoder compares long integers; as floats, two of them may be equal."""
    steps = [step for _, step in transformer.steps] if isinstance(transformer, Pipeline) else [transformer]
    begins = isinstance(steps[0], ENCODERS)
    return begins and any(column.kind == "integer" and "64" in column.dtype for column in source.columns)


def _columns(transformer: ColumnTransformer, source: Source) -> Source:
    source = source.checked_for(transformer)
    places = transformer._transformer_to_input_indices  # noqa: SLF001  # names, masks and slices are resolved there
    start = source.fork()
    parts = [
        replay(part, start.take(places[name])).as_array()
        for name, part, _ in transformer.transformers_
        if part != "drop" and len(places[name])
    ]
    if not parts:
        raise NotLowered("the ColumnTransformer drops every column")
    return source.join(parts)


def _union(union: FeatureUnion, source: Source) -> Source:
    if union.transformer_weights:
        raise NotLowered("cannot compile a FeatureUnion with weights")
    start = source.fork()
    return source.join([replay(part, start).as_array() for _, part in union.transformer_list if part != "drop"])


def _selector(selector: SelectorMixin, source: Source) -> Source:
    return source.take(np.flatnonzero(selector.get_support()).tolist())


def _imputer(imputer: SimpleImputer, source: Source) -> Source:
    if not (isinstance(imputer.missing_values, float) and np.isnan(imputer.missing_values)):
        raise NotLowered("cannot compile a SimpleImputer whose missing values are not NaN")
    values = np.asarray(imputer.statistics_, dtype=np.float64)
    if np.isnan(values).any():
        raise NotLowered("cannot compile a SimpleImputer that drops a column")
    features = tuple(np.asarray(imputer.indicator_.features_).tolist()) if imputer.add_indicator else ()
    if not features:
        return source.then(Fill(values), source.width)
    return source.then(Beside((Fill(values), Missing(features))), source.width + len(features))


def _scaler(*parts: tuple[str, str, str]) -> Callable[[Any, Source], Source]:
    """Return the replay of a scaler: each part is an operator, the attribute of its operand, and its switch."""

    def make(scaler: Any, source: Source) -> Source:
        used = [(sign, getattr(scaler, operand)) for sign, operand, switch in parts if getattr(scaler, switch, True)]
        signs, operands = zip(*used, strict=True) if used else ((), ())
        scaled = source.then(Arithmetic(signs, tuple(np.asarray(operand) for operand in operands)), source.width)
        if getattr(scaler, "clip", False):
            low, high = getattr(scaler, "feature_range", (-1.0, 1.0))
            return scaled.then(Clip(float(low), float(high)), source.width)
        return scaled

    return make


def _pca(pca: PCA, source: Source) -> Source:
    if pca.whiten:
        raise NotLowered("cannot compile a PCA that whitens")
    offset = np.reshape(pca.mean_, (1, -1)) @ pca.components_.T
    return source.then(Project(pca.components_, offset), len(pca.components_))


def _function(transformer: FunctionTransformer, source: Source) -> Source:
    if transformer.func is not None:
        raise NotLowered("cannot compile a FunctionTransformer with a function")
    return source


_STEPS: Mapping[type, Callable[[Any, Source], Source]] = {
    SimpleImputer: _imputer,
    StandardScaler: _scaler(("-", "mean_", "with_mean"), ("/", "scale_", "with_std")),
    MinMaxScaler: _scaler(("*", "scale_", ""), ("+", "min_", "")),
    MaxAbsScaler: _scaler(("/", "scale_", "")),
    RobustScaler: _scaler(("-", "center_", "with_centering"), ("/", "scale_", "with_scaling")),
    OneHotEncoder: binned,
    OrdinalEncoder: binned,
    TargetEncoder: binned,
    PCA: _pca,
    FunctionTransformer: _function,
    SelectorMixin: _selector,
}
