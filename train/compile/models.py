"""What ends a pipeline: from scikit-learn's, LightGBM's and XGBoost's fitted models to their replay."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import treelite
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, SGDClassifier
from sklearn.linear_model._base import LinearClassifierMixin, LinearModel
from sklearn.linear_model._stochastic_gradient import BaseSGDRegressor
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC, LinearSVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor
from sklearn.utils import get_tags

from artifacts.runtimes.heads import Boosting, Compiled, Forest, Linear, Vote
from artifacts.runtimes.links import Link
from artifacts.runtimes.steps import Chain, Coded
from train.compile.errors import NotLowered
from train.compile.sources import Source
from train.compile.transformers import replay

Form: TypeAlias = Literal["numpy", "trees", "treelite"]
"""How trees are executed: not at all, by scikit-learn's own compiled code, or by treelite's interpreter."""

_LINES = (LinearClassifierMixin, LinearModel, LinearSVC, LinearSVR, BaseSGDRegressor)
_FORESTS = (RandomForestClassifier, RandomForestRegressor, ExtraTreesClassifier, ExtraTreesRegressor)
_TREES = (DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor)
_BOOSTED = (GradientBoostingClassifier, GradientBoostingRegressor)
# LightGBM's kZeroThreshold, of include/LightGBM/meta.h: what lies closer to zero it takes for a zero left out.
_LIGHTGBM_ZERO = float(np.float32(1e-35))
_HISTOGRAMS = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)


@dataclass(frozen=True, slots=True)
class Lowered:
    """
    A model as a program.

    Attributes:
        source: What comes before the head, with the array that it makes.
        head: What ends it.
        trees: The fitted models of trees in it.
    """

    source: Source
    head: Any
    trees: tuple["Trees", ...] = ()


@dataclass(frozen=True, slots=True)
class Trees:
    """
    A fitted model of trees in a program.

    Attributes:
        model: The model.
        step: What makes the array that it is handed of the table.
        path: Which head replays it: of a vote the place of the model in it, and so on.
    """

    model: Any
    step: Any
    path: tuple[int, ...] = ()

    def head_in(self, head: Any) -> Any:
        """What replays it, in a program with that head."""
        for place in self.path:
            head = head.heads[place]
        return head


def lower(model: Any, source: Source, form: Form) -> Lowered:
    """
    Make a program of a fitted model.

    Args:
        model: A fitted classifier or regressor, or a Pipeline that ends with one.
        source: What it is handed.
        form: How its trees are executed.

    Raises:
        NotLowered: There is no exact replay of it, or of a part of it.
    """
    if isinstance(model, BaseSearchCV):
        return lower(model.best_estimator_, source, form)
    if isinstance(model, Pipeline):
        for _, step in model.steps[:-1]:
            source = replay(step, source)
        return lower(model.steps[-1][1], source, form)
    if type(model) in {VotingClassifier, VotingRegressor}:
        return _vote(model, source.as_array(), form)
    if type(model) in _HISTOGRAMS:
        source = _categories_first(model, source)
    elif _library(model) == "lightgbm":
        source = _levels(model, source)
    if _is_linear(model):
        source = source.as_array()
        return Lowered(source, _linear(model))
    # Trees round to single precision by themselves: by way of double, a long integer would be rounded twice.
    source = source.as_array(keep=_is_single(model))
    head = _trees(model, form)
    return Lowered(source, head, (Trees(model, source.step),))


def _library(model: Any) -> str:
    return type(model).__module__.partition(".")[0]


def _is_linear(model: Any) -> bool:
    # A class of somebody's own may answer by other means than the one that it is made of.
    is_own = _library(model) != "sklearn"
    return not is_own and hasattr(model, "coef_") and isinstance(model, _LINES)


def _linear(model: Any) -> Linear:
    link = _link_of_linear(model)
    if not isinstance(model.coef_, np.ndarray):
        raise NotLowered("there is no replay of sparse coefficients")
    coefficients = model.coef_
    scores = len(coefficients) if coefficients.ndim > 1 else 1
    return Linear(link, 0, coefficients, np.full(scores, model.intercept_, dtype=coefficients.dtype))


def _link_of_linear(model: Any) -> Link:
    if not hasattr(model, "classes_"):
        return "number"
    if not hasattr(model, "predict_proba"):
        return "decision"
    if isinstance(model, LogisticRegression | LogisticRegressionCV | LinearDiscriminantAnalysis):
        return "softmax" if len(model.classes_) > 2 else "logistic"
    if isinstance(model, SGDClassifier) and model.loss == "log_loss":
        return "one-vs-rest"
    raise NotLowered(f"there is no replay of the probabilities of {type(model).__name__}")


def _vote(model: Any, source: Source, form: Form) -> Lowered:
    is_soft = isinstance(model, VotingClassifier)
    if is_soft and model.voting != "soft":
        raise NotLowered("there is no replay of a VotingClassifier that counts votes")
    lowered = [lower(each, Source(source.width), form) for each in model.estimators_]
    weights = model._weights_not_none  # noqa: SLF001  # those of models that were dropped are left out there
    head = Vote(
        tuple(each.source.step for each in lowered),
        tuple(each.head for each in lowered),
        np.array([] if weights is None else weights, dtype=float),
        is_soft,
    )
    trees = (
        replace(known, step=Chain((source.step, known.step)), path=(place, *known.path))
        for place, each in enumerate(lowered)
        for known in each.trees
    )
    return Lowered(source, head, tuple(trees))


def _categories_first(model: Any, source: Source) -> Source:
    """Histogram boosting encodes its categories by itself, and puts them before the numbers."""
    preprocessor = model._preprocessor  # noqa: SLF001  # there is no public way to what it was fitted with
    if preprocessor is None:
        return source
    encoder = preprocessor.named_transformers_["encoder"]
    is_category = np.asarray(model.is_categorical_)
    start = source.fork()
    numbers = np.flatnonzero(~is_category).tolist()
    parts = [replay(encoder, start.take(np.flatnonzero(is_category).tolist()))]
    return source.join([*parts, start.take(numbers).as_array()] if numbers else parts)


def _levels(model: Any, source: Source) -> Source:
    """LightGBM counts the levels of a frame's categories by itself."""
    if source.is_numeric:
        return source
    levels = iter(model.booster_.pandas_categorical or ())
    parts = []
    for place, column in enumerate(source.columns):
        if column.dtype == "category":
            known = tuple(next(levels))
            codes = np.array([[float(code)] for code in range(len(known))] + [[np.nan], [np.nan]])
            parts.append(Source(1, (Coded(source.places[place], known, codes, is_strict=False),)))
        else:
            parts.append(source.take([place]).as_array())
    return source.join(parts)


def _trees(model: Any, form: Form) -> Any:
    known = (*_FORESTS, *_TREES, *_BOOSTED, *_HISTOGRAMS)
    if type(model) not in known and _library(model) not in {"lightgbm", "xgboost"}:
        raise NotLowered(f"there is no replay of {type(model).__name__}")
    if form == "treelite":
        return _compiled(model)
    if type(model) in _FORESTS:
        return _forest([each.tree_ for each in model.estimators_], model)
    if type(model) in _TREES:
        return _forest([model.tree_], model)
    if type(model) in _BOOSTED:
        return _stages(model)
    if type(model) in _HISTOGRAMS:
        return _boosting(model)
    raise NotLowered(f"{type(model).__name__} has trees of its own kind")


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
        raise NotLowered("there is no replay of gradient boosting that begins with another model")
    start = model._raw_predict_init(np.zeros((1, model.n_features_in_), dtype=np.float32))[0]  # noqa: SLF001
    trees = [tree.tree_ for stage in model.estimators_ for tree in stage]
    more = {"start": start, "rate": model.learning_rate, "is_mean": False, "ties": 1}
    return _forest(trees, model, link=_link_of_boosting(model, len(start)), **more)


def _link_of_boosting(model: Any, scores: int) -> Link:
    if not hasattr(model, "classes_"):
        return "exponential" if getattr(model, "loss", "") in {"poisson", "gamma"} else "number"
    if getattr(model, "loss", "log_loss") != "log_loss":
        raise NotLowered(f"there is no replay of the loss {model.loss}")
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
        # A category that is null makes treelite's import cast a NaN.
        with np.errstate(invalid="ignore"):
            compiled, link, ties = _import(model)
    except (treelite.TreeliteError, NotImplementedError, ValueError) as error:
        raise NotLowered(f"treelite does not take it: {str(error).splitlines()[0][:200]}") from error
    packed: NDArray[Any] = np.frombuffer(compiled.serialize_bytes(), dtype=np.uint8)
    return Compiled(
        link=link,
        ties=ties,
        model=packed,
        is_single=_is_single(model),
        takes_nulls=_takes_nulls(model),
        zero=_LIGHTGBM_ZERO if _library(model) == "lightgbm" else 0.0,
    )


def _is_single(model: Any) -> bool:
    return type(model) in (*_FORESTS, *_TREES, *_BOOSTED)


def _takes_nulls(model: Any) -> bool:
    return bool(get_tags(model).input_tags.allow_nan)


def _import(model: Any) -> tuple[Any, Link, int]:
    """A model of treelite's, and what its margins are."""
    if type(model) in _FORESTS:
        return treelite.sklearn.import_model(model), "shares" if hasattr(model, "classes_") else "number", 0
    if type(model) in _BOOSTED:
        _stages(model)
        scores = model.n_trees_per_iteration_
        return treelite.sklearn.import_model(model), _link_of_boosting(model, scores), 1
    if type(model) in _HISTOGRAMS:
        return treelite.sklearn.import_model(model), _link_of_boosting(model, model.n_trees_per_iteration_), 0
    if _library(model) == "lightgbm":
        return treelite.frontend.from_lightgbm(model.booster_), _link_of_lightgbm(model), 0
    if _library(model) == "xgboost":
        return treelite.frontend.from_xgboost(model.get_booster()), _link_of_xgboost(model), 0
    raise NotLowered(f"treelite has no {type(model).__name__}")


def _link_of_lightgbm(model: Any) -> Link:
    links: dict[str, Link] = {
        **dict.fromkeys(("regression", "regression_l1", "huber", "fair", "quantile", "mape"), "number"),
        **dict.fromkeys(("poisson", "gamma", "tweedie"), "exponential"),
        "binary": "logistic",
        "multiclass": "softmax",
    }
    if str(model.objective_) not in links:
        raise NotLowered(f"there is no replay of LightGBM's objective {model.objective_}")
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
        raise NotLowered("there is no replay of missing values that are not NaN")
    if model.objective not in links:
        raise NotLowered(f"there is no replay of XGBoost's objective {model.objective}")
    return links[model.objective]
