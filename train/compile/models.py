"""Compile the last step of a pipeline: linear models, votes and models of trees."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, SGDClassifier
from sklearn.linear_model._base import LinearClassifierMixin, LinearModel
from sklearn.linear_model._stochastic_gradient import BaseSGDRegressor
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC, LinearSVR

from artifacts.runtimes.heads import Linear, Vote
from artifacts.runtimes.links import Link
from artifacts.runtimes.steps import Chain, Coded
from train.compile.errors import NotLowered
from train.compile.sources import Source
from train.compile.transformers import replay
from train.compile.trees import HISTOGRAMS, Form, is_single, library_of, lower_trees

_LINES = (LinearClassifierMixin, LinearModel, LinearSVC, LinearSVR, BaseSGDRegressor)


@dataclass(frozen=True, slots=True)
class Lowered:
    """
    A model as a program.

    Attributes:
        source: The steps before the head, and the array that they make.
        head: The last step.
        trees: The fitted models of trees in the program.
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
        step: Makes the model's input array from the table.
        path: Where its head is: the place of the model in a vote, and so on.
    """

    model: Any
    step: Any
    path: tuple[int, ...] = ()

    def head_in(self, head: Any) -> Any:
        """Return the head of this model in a program with that head."""
        for place in self.path:
            head = head.heads[place]
        return head


def lower(model: Any, source: Source, form: Form) -> Lowered:
    """
    Compile a fitted model.

    Args:
        model: A fitted classifier or regressor, or a Pipeline that ends with one.
        source: Its input.
        form: How its trees are executed.

    Raises:
        NotLowered: There is no exact program for it, or for a part of it.
    """
    if isinstance(model, BaseSearchCV):
        return lower(model.best_estimator_, source, form)
    if isinstance(model, Pipeline):
        for _, step in model.steps[:-1]:
            source = replay(step, source)
        return lower(model.steps[-1][1], source, form)
    if type(model) in {VotingClassifier, VotingRegressor}:
        return _vote(model, source.as_array(), form)
    if type(model) in HISTOGRAMS:
        source = _categories_first(model, source)
    elif library_of(model) == "lightgbm":
        source = _levels(model, source)
    if _is_linear(model):
        source = source.as_array()
        return Lowered(source, _linear(model))
    # Trees round to single precision: with doubles in between, a long integer would be rounded twice.
    source = source.as_array(keep=is_single(model))
    head = lower_trees(model, form)
    return Lowered(source, head, (Trees(model, source.step),))


def _is_linear(model: Any) -> bool:
    # A subclass from another package may override how it predicts.
    is_own = library_of(model) != "sklearn"
    return not is_own and hasattr(model, "coef_") and isinstance(model, _LINES)


def _linear(model: Any) -> Linear:
    link = _link_of_linear(model)
    if not isinstance(model.coef_, np.ndarray):
        raise NotLowered("cannot compile sparse coefficients")
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
    raise NotLowered(f"cannot compile the probabilities of {type(model).__name__}")


def _vote(model: Any, source: Source, form: Form) -> Lowered:
    is_soft = isinstance(model, VotingClassifier)
    if is_soft and model.voting != "soft":
        raise NotLowered("cannot compile a VotingClassifier with hard voting")
    lowered = [lower(each, Source(source.width), form) for each in model.estimators_]
    weights = model._weights_not_none  # noqa: SLF001  # it leaves out the weights of dropped models
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
    """Replay the encoder of histogram boosting, which puts categories before numbers."""
    preprocessor = model._preprocessor  # noqa: SLF001  # there is no public access
    if preprocessor is None:
        return source
    encoder = preprocessor.named_transformers_["encoder"]
    is_category = np.asarray(model.is_categorical_)
    start = source.fork()
    numbers = np.flatnonzero(~is_category).tolist()
    parts = [replay(encoder, start.take(np.flatnonzero(is_category).tolist()))]
    return source.join([*parts, start.take(numbers).as_array()] if numbers else parts)


def _levels(model: Any, source: Source) -> Source:
    """Replay how LightGBM encodes the levels of categorical columns."""
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
