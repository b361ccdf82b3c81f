"""Compiling the last step of a pipeline."""

from typing import Any

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier, VotingClassifier, VotingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from artifacts.runtimes.program import Program
from artifacts.signature import Signature
from tests.support.compiled_models import NUMBERS, THREE, TREES, TWO, WEIGHT
from tests.support.tiny_models import column
from train.compile.compiling import as_table
from train.compile.errors import NotLowered
from train.compile.models import Trees, lower
from train.compile.sources import Source

X = NUMBERS.to_numpy()
SIGNATURE = Signature(container="array", columns=tuple(column(str(name), "float64") for name in NUMBERS))


@pytest.mark.parametrize(
    ("model", "y", "has_probabilities"),
    [
        (LogisticRegression(), TWO, True),
        (LogisticRegression(), THREE, True),
        (LinearDiscriminantAnalysis(), THREE, True),
        (SGDClassifier(loss="log_loss", random_state=0), THREE, True),
        (LinearSVC(), TWO, False),
        (LinearRegression(), WEIGHT, False),
        (make_pipeline(StandardScaler(), Ridge()), WEIGHT, False),
        (GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=2), TWO, True),
        (VotingRegressor([("a", Ridge()), ("b", DecisionTreeRegressor())], weights=[1, 2]), WEIGHT, False),
        (VotingClassifier([("a", LogisticRegression()), ("b", LogisticRegression(C=9))], voting="soft"), TWO, True),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_program_predicts_like_its_model(model: Any, y: Any, has_probabilities: bool) -> None:
    """Classes and numbers are equal, and so are the probabilities of a model that has some."""
    model.fit(X, y)
    lowered = lower(model, Source.of(SIGNATURE), "trees")

    predictions = Program(lowered.source.step, lowered.head).predict(X, probabilities=True)

    values = predictions.values if y is WEIGHT else model.classes_[predictions.values]
    assert values == pytest.approx(model.predict(X), abs=1e-9)
    assert (predictions.probabilities is not None) == has_probabilities
    if has_probabilities:
        assert predictions.probabilities == pytest.approx(model.predict_proba(X), abs=1e-9)


@pytest.mark.parametrize("name", ["histograms of categories", "lightgbm of categories"])
@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
def test_categories_of_pandas_become_codes(name: str) -> None:
    """Histogram boosting and LightGBM encode categories themselves, and so does the program."""
    [case] = [case for case in TREES if case.name == name]
    model, rows = case.model()

    lowered = lower(model.estimator, Source.of(model.signature), "treelite")
    step = lowered.source.step(as_table(model.signature, rows))

    encoded = set(np.unique(step[:, 0]).tolist())
    assert encoded <= {0.0, 1.0, 2.0}
    assert len(encoded) == 3


def test_the_trees_of_a_vote_know_their_place() -> None:
    """The path of a model of trees leads to its head in the program."""
    trees, line = DecisionTreeClassifier(max_depth=2), LogisticRegression()
    model = VotingClassifier([("line", line), ("trees", make_pipeline(StandardScaler(), trees))], voting="soft")

    lowered = lower(model.fit(X, TWO), Source.of(SIGNATURE), "trees")

    [known] = lowered.trees
    assert isinstance(known, Trees)
    assert known.path == (1,)
    assert known.head_in(lowered.head) is lowered.head.heads[1]
    assert known.step(X) == pytest.approx(StandardScaler().fit_transform(X))


class Own(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
    """A model of the publisher, which may predict in another way."""


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (Own(), "cannot compile Own"),
        (SGDClassifier(loss="modified_huber"), "the probabilities of SGDClassifier"),
        (VotingClassifier([("a", LogisticRegression())]), "VotingClassifier with hard voting"),
        (VotingClassifier([("a", HistGradientBoostingClassifier(max_iter=1)), ("b", Own())], voting="soft"), "Own"),
    ],
    ids=["subclass", "loss", "hard voting", "part of a vote"],
)
def test_a_model_without_a_program_is_named(model: Any, reason: str) -> None:
    """The reason names the model, or the part of it, that cannot be compiled."""
    with pytest.raises(NotLowered, match=reason):
        lower(model.fit(X, TWO), Source.of(SIGNATURE), "trees")


def test_sparse_coefficients_are_refused() -> None:
    """Products with a sparse matrix round differently."""
    with pytest.raises(NotLowered, match="cannot compile sparse coefficients"):
        lower(LogisticRegression().fit(X, TWO).sparsify(), Source.of(SIGNATURE), "trees")
