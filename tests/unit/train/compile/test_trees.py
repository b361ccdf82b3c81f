"""Compiling models of trees in each form."""

from typing import Any

import numpy as np
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier, XGBRegressor

from train.compile.errors import NotLowered
from train.compile.trees import Form, is_single, library_of, lower_trees

X = np.random.default_rng(0).normal(size=(80, 3)).astype(np.float32).astype(np.float64)
WEIGHT = np.abs(X[:, 0] + X[:, 1]) + 1
THREE = np.digitize(X[:, 0] + X[:, 1], [-0.5, 0.5])
MODELS = [
    (RandomForestClassifier(4, random_state=0), THREE),
    (ExtraTreesRegressor(4, random_state=0), WEIGHT),
    (GradientBoostingClassifier(n_estimators=3), THREE),
    (GradientBoostingClassifier(n_estimators=3, init="zero"), THREE > 0),
    (GradientBoostingRegressor(n_estimators=3), WEIGHT),
    (HistGradientBoostingClassifier(max_iter=3), THREE),
    (HistGradientBoostingRegressor(max_iter=3, loss="poisson"), WEIGHT),
]
OTHERS = [
    (LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1), THREE),
    (LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1), THREE > 0),
    (LGBMRegressor(n_estimators=3, verbose=-1, n_jobs=1, objective="poisson"), WEIGHT),
    (XGBClassifier(n_estimators=3, n_jobs=1), THREE),
    (XGBRegressor(n_estimators=3, n_jobs=1), WEIGHT),
]


def check(model: Any, y: Any, form: Form) -> None:
    """Compare the head of a fitted model with the model."""
    model.fit(X, y)
    head = lower_trees(model, form)

    predictions = head(X, probabilities=head.has_probabilities)

    if head.has_probabilities:
        assert predictions.probabilities == pytest.approx(model.predict_proba(X), abs=1e-6)
        assert model.classes_[predictions.values].tolist() == model.predict(X).tolist()
    else:
        assert predictions.values == pytest.approx(model.predict(X), rel=1e-6)


@pytest.mark.parametrize("form", ["trees", "treelite"])
@pytest.mark.parametrize(("model", "y"), MODELS, ids=lambda each: type(each).__name__)
def test_trees_of_scikit_learn_are_executed_in_both_forms(model: Any, y: Any, form: Form) -> None:
    """Each form predicts like the estimator."""
    check(model, y, form)


@pytest.mark.parametrize(("model", "y"), OTHERS, ids=lambda each: type(each).__name__)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
def test_other_libraries_are_executed_by_treelite_only(model: Any, y: Any) -> None:
    """LightGBM and XGBoost have a format that only treelite reads."""
    check(model, y, "treelite")
    with pytest.raises(NotLowered, match="format of trees that only treelite reads"):
        lower_trees(model, "trees")


def test_a_single_tree_has_no_treelite_program() -> None:
    """A single tree is executed by scikit-learn's own code."""
    check(DecisionTreeClassifier(), THREE, "trees")
    with pytest.raises(NotLowered, match="treelite cannot import DecisionTreeClassifier"):
        lower_trees(DecisionTreeClassifier().fit(X, THREE), "treelite")


class Own(RandomForestClassifier):  # type: ignore[misc]  # scikit-learn has no types
    """A forest of the publisher, which may predict in another way."""


@pytest.mark.parametrize(
    ("model", "form", "reason"),
    [
        (AdaBoostClassifier(n_estimators=2), "trees", "cannot compile AdaBoostClassifier"),
        (Own(2), "treelite", "cannot compile Own"),
        (GradientBoostingClassifier(n_estimators=2, loss="exponential"), "trees", "the loss exponential"),
        (GradientBoostingClassifier(n_estimators=2, init=LogisticRegression()), "treelite", "an init model"),
        (LGBMClassifier(n_estimators=2, verbose=-1, objective="cross_entropy"), "treelite", "LightGBM's objective"),
        (XGBClassifier(n_estimators=2, missing=-999.0), "treelite", "missing values that are not NaN"),
        (XGBClassifier(n_estimators=2, objective="binary:hinge"), "treelite", "XGBoost's objective binary:hinge"),
    ],
)
def test_a_model_without_a_program_is_named(model: Any, form: Form, reason: str) -> None:
    """The reason names the model, or the option of it, that cannot be compiled."""
    model.fit(X, THREE > 0)

    with pytest.raises(NotLowered, match=reason):
        lower_trees(model, form)


def test_only_scikit_learns_older_trees_round_to_single_precision() -> None:
    """Histogram boosting and other libraries take doubles."""
    assert is_single(RandomForestClassifier())
    assert not is_single(HistGradientBoostingClassifier())
    assert library_of(LGBMClassifier()) == "lightgbm"


def test_a_program_refuses_nulls_as_its_trees_do() -> None:
    """A model that was fitted without support for nulls refuses them."""
    head = lower_trees(GradientBoostingClassifier(n_estimators=2).fit(X, THREE), "trees")

    with pytest.raises(ValueError, match="or a null"):
        head(np.full((1, 3), np.nan), probabilities=True)
