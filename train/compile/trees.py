"""Compile models of trees: forests and boosting of scikit-learn, LightGBM and XGBoost."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import treelite
from numpy.typing import NDArray
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor
from sklearn.utils import get_tags

from artifacts.runtimes.heads import Boosting, Compiled, Forest
from artifacts.runtimes.links import Link
from train.compile.errors import NotLowered

Form: TypeAlias = Literal["numpy", "trees", "treelite"]
"""How trees are executed: not at all, by scikit-learn's own compiled code, or by treelite's interpreter."""

_FORESTS = (RandomForestClassifier, RandomForestRegressor, ExtraTreesClassifier, ExtraTreesRegressor)
_TREES = (DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor)
_BOOSTED = (GradientBoostingClassifier, GradientBoostingRegressor)
# LightGBM's kZeroThreshold, of include/LightGBM/meta.h: it treats values closer to zero as missing zeros.
_LIGHTGBM_ZERO = float(np.float32(1e-35))
HISTOGRAMS = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)


def library_of(model: Any) -> str:
    """Return the top-level package that a model's class is from."""
    return type(model).__module__.partition(".")[0]


def lower_trees(model: Any, form: Form) -> Any:
    """
    Return the head that executes the trees of a model.

    Raises:
        NotLowered: There is no exact program for it in this form.
    """
    known = (*_FORESTS, *_TREES, *_BOOSTED, *HISTOGRAMS)
    if type(model) not in known and library_of(model) not in {"lightgbm", "xgboost"}:
        raise NotLowered(f"cannot compile {type(model).__name__}")
    if form == "treelite":
        return _compiled(model)
    if type(model) in _FORESTS:
        return _forest([each.tree_ for each in model.estimators_], model)
    if type(model) in _TREES:
        return _forest([model.tree_], model)
    if type(model) in _BOOSTED:
        return _stages(model)
    if type(model) in HISTOGRAMS:
        return _boosting(model)
    raise NotLowered(f"{type(model).__name__} has a format of trees that only treelite reads")


def _forest(trees: Sequence[Any], model: Any, **stages: Any) -> Forest:
    states = [tree.__getstate__() for tree in trees]
    classes = len(getattr(model, "classes_", ()))
    width = 1 if stages else max(1, classes)
    summed: dict[str, Any] = {"start": np.zeros(width), "rate": 1.0, "is_mean": True, "ties": 0, **stages}
    return Forest(
        link=stages.get("link", "shares" if classes else "number"),
        ties=summed["ties"],
        columns=int(trees[0].n_features),
        outputs=width,
        sizes=np.array([state["node_count"] for state in states]),
        depths=np.array([state["max_depth"] for state in states]),
        nodes=np.concatenate([state["nodes"] for state in states]),
        values=np.concatenate([state["values"] for state in states]),
        start=summed["start"],
        rate=float(summed["rate"]),
        is_mean=summed["is_mean"],
        takes_nulls=_takes_nulls(model),
    )


def _stages(model: Any) -> Forest:
    if model.init is not None and model.init != "zero":
        raise NotLowered("cannot compile gradient boosting with an init model")
    start = model._raw_predict_init(np.zeros((1, model.n_features_in_), dtype=np.float32))[0]  # noqa: SLF001
    trees = [tree.tree_ for stage in model.estimators_ for tree in stage]
    more = {"start": start, "rate": model.learning_rate, "is_mean": False, "ties": 1}
    return _forest(trees, model, link=_link_of_boosting(model, len(start)), **more)


def _link_of_boosting(model: Any, scores: int) -> Link:
    if not hasattr(model, "classes_"):
        return "exponential" if getattr(model, "loss", "") in {"poisson", "gamma"} else "number"
    if getattr(model, "loss", "log_loss") != "log_loss":
        raise NotLowered(f"cannot compile the loss {model.loss}")
    return "logistic" if scores == 1 else "softmax"


def _boosting(model: Any) -> Boosting:
    predictors = [each for stage in model._predictors for each in stage]  # noqa: SLF001  # there is no public way
    known, mapped = model._bin_mapper.make_known_categories_bitsets()  # noqa: SLF001
    start = np.ravel(model._baseline_prediction).astype(np.float64)  # noqa: SLF001
    return Boosting(
        link=_link_of_boosting(model, len(start)),
        ties=0,
        start=start,
        sizes=np.array([len(each.nodes) for each in predictors]),
        splits=np.array([len(each.raw_left_cat_bitsets) for each in predictors]),
        nodes=np.concatenate([each.nodes for each in predictors]),
        categories=np.concatenate([each.raw_left_cat_bitsets for each in predictors]),
        known=known,
        mapped=mapped,
    )


def _compiled(model: Any) -> Compiled:
    try:
        # A null category makes treelite's import cast a NaN.
        with np.errstate(invalid="ignore"):
            compiled, link, ties = _import(model)
    except (treelite.TreeliteError, NotImplementedError, ValueError) as error:
        raise NotLowered(f"treelite cannot import it: {str(error).splitlines()[0][:200]}") from error
    packed: NDArray[Any] = np.frombuffer(compiled.serialize_bytes(), dtype=np.uint8)
    return Compiled(
        link=link,
        ties=ties,
        model=packed,
        is_single=is_single(model),
        takes_nulls=_takes_nulls(model),
        zero=_LIGHTGBM_ZERO if library_of(model) == "lightgbm" else 0.0,
    )


def is_single(model: Any) -> bool:
    """Return whether a model rounds its input to single precision."""
    return type(model) in (*_FORESTS, *_TREES, *_BOOSTED)


def _takes_nulls(model: Any) -> bool:
    return bool(get_tags(model).input_tags.allow_nan)


def _import(model: Any) -> tuple[Any, Link, int]:
    """Return a treelite model, the link of its margins, and how ties are resolved."""
    if type(model) in _FORESTS:
        return treelite.sklearn.import_model(model), "shares" if hasattr(model, "classes_") else "number", 0
    if type(model) in _BOOSTED:
        _stages(model)
        scores = model.n_trees_per_iteration_
        return treelite.sklearn.import_model(model), _link_of_boosting(model, scores), 1
    if type(model) in HISTOGRAMS:
        return treelite.sklearn.import_model(model), _link_of_boosting(model, model.n_trees_per_iteration_), 0
    if library_of(model) == "lightgbm":
        return treelite.frontend.from_lightgbm(model.booster_), _link_of_lightgbm(model), 0
    if library_of(model) == "xgboost":
        return treelite.frontend.from_xgboost(model.get_booster()), _link_of_xgboost(model), 0
    raise NotLowered(f"treelite cannot import {type(model).__name__}")


def _link_of_lightgbm(model: Any) -> Link:
    links: dict[str, Link] = {
        **dict.fromkeys(("regression", "regression_l1", "huber", "fair", "quantile", "mape"), "number"),
        **dict.fromkeys(("poisson", "gamma", "tweedie"), "exponential"),
        "binary": "logistic",
        "multiclass": "softmax",
    }
    if str(model.objective_) not in links:
        raise NotLowered(f"cannot compile LightGBM's objective {model.objective_}")
    return links[str(model.objective_)]


def _link_of_xgboost(model: Any) -> Link:
    links: dict[str, Link] = {
        "reg:squarederror": "number",
        "reg:absoluteerror": "number",
        "count:poisson": "exponential",
        "binary:logistic": "logistic",
        "multi:softprob": "softmax",
    }
    if not np.isnan(model.missing):
        raise NotLowered("cannot compile missing values that are not NaN")
    if model.objective not in links:
        raise NotLowered(f"cannot compile XGBoost's objective {model.objective}")
    return links[model.objective]
