"""A model is published only if native values that callers send are predicted like the rows that it was fitted on."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor, VotingClassifier
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from xgboost import XGBClassifier, XGBRegressor

from tests.support import tiny_models
from tests.support.published import ENCODED, LINES, MIXED, ROWS, WEIGHT, X, Y, model_of
from train.admission import task_of
from train.errors import NotPublishable
from train.round_trip import prove_round_trip
from train.rows import Rows

CHANCE = np.random.default_rng(1)


@pytest.mark.parametrize(
    ("estimator", "X", "y"),
    [
        (LogisticRegression(), X, Y),
        (LogisticRegression(), X.to_numpy(), Y.astype(bool)),
        (LogisticRegression(), np.asfortranarray(X.to_numpy()), -Y.astype("int8")),
        (LogisticRegression(), X[:2], [0, 1]),
        (RidgeClassifier(), X, np.where(Y, "long", "short")),
        (VotingClassifier([("one", LogisticRegression())]), X, pd.Series(np.where(Y, "b", "a"), dtype="category")),
        (ENCODED, MIXED, Y),
        (HistGradientBoostingClassifier(max_iter=3), MIXED.drop(columns=["colour", "object"]), Y),
        (make_pipeline(OneHotEncoder(), LogisticRegression()), [["a", 1.5], ["b", 2]] * 30, Y),
        (make_pipeline(OneHotEncoder(), LogisticRegression()), np.array([["a"], ["b"]] * 30), Y),
        (make_pipeline("passthrough", LogisticRegression()), X, Y),
        (make_pipeline(TfidfVectorizer(), LogisticRegression()), LINES, Y),
        (make_pipeline(TfidfVectorizer(), LogisticRegression()), LINES.tolist(), Y),
        (make_pipeline(HashingVectorizer(n_features=16), LinearRegression()), LINES.astype("string"), WEIGHT),
        (
            make_pipeline(ColumnTransformer([("a", TfidfVectorizer(), "line")]), LogisticRegression()),
            X.assign(line=LINES),
            Y,
        ),
        (LinearRegression(), X, WEIGHT.to_numpy()[:, None]),
        (LinearRegression(), X, WEIGHT.to_frame("weight")),
        (RandomForestRegressor(3), X.astype("float32"), WEIGHT * 1e12),
        (TransformedTargetRegressor(LinearRegression(), func=np.log, inverse_func=np.exp), X, np.exp(WEIGHT)),
        (IsotonicRegression(), X[["length"]], WEIGHT),
        (XGBRegressor(n_estimators=2), X.to_numpy(), WEIGHT * 1e-12),
        (XGBClassifier(n_estimators=2, enable_categorical=True), MIXED[["length", "grade"]], Y),
    ],
    ids=str.split(
        "frame booleans fortran two ridge voting encoded dtypes mixed-lists U passthrough tfidf list hashing "
        "text-column y-column y-frame 1e12 log isotonic xgboost xgboost-categories"
    ),
)
def test_sent_values_get_the_predictions_of_training(estimator: Any, X: Any, y: Any) -> None:
    """Sent as in JSON, the rows get the estimator's own classes and numbers, exactly or within the tolerance."""
    estimator.fit(X, y)
    output = estimator.predict(X).ravel().tolist()

    _, answers = prove_round_trip(*model_of(estimator, X))

    if task_of(estimator) == "classification":
        assert list(map(repr, answers.labels)) == list(map(repr, output))
    else:
        assert answers.labels.tolist() == pytest.approx(output, rel=1e-9, abs=0)
    if hasattr(estimator, "predict_proba"):
        assert answers.probabilities == pytest.approx(estimator.predict_proba(X), rel=0, abs=1e-9)


@pytest.mark.parametrize(
    ("estimator", "y"),
    [(RidgeClassifier(), Y), (RandomForestRegressor(2), WEIGHT), (XGBRegressor(n_estimators=2), WEIGHT)],
    ids=str.split("labels forest xgboost"),
)
def test_single_precision_alone_needs_no_tolerance(estimator: Any, y: Any) -> None:
    """Trees and labels are the same to the last bit, whatever the width of the numbers."""
    model, rows = model_of(estimator.fit(X.astype("float32"), y), X.astype("float32"))

    _, answers = prove_round_trip(model, rows, tolerance=0)

    assert answers.labels.tolist() == estimator.predict(X.astype("float32")).tolist()


def test_sums_in_single_precision_need_a_tolerance_and_say_so() -> None:
    """The order of such a sum alone moves its seventh digit; the publisher decides whether that may be."""
    wide = np.asfortranarray(CHANCE.normal(size=(500, 200)), dtype="float32")
    model, rows = model_of(LinearRegression().fit(wide, wide.sum(axis=1)), wide)

    with pytest.raises(NotPublishable, match=r"apart, and the tolerance is 1e-09; .* single precision"):
        prove_round_trip(model, rows)

    _, answers = prove_round_trip(model, rows, tolerance=1e-4)
    assert answers.labels.tolist() == pytest.approx(model.estimator.predict(wide).tolist(), rel=1e-4, abs=1e-4)


class Neighbourly(LinearRegression):  # type: ignore[misc]  # scikit-learn has no types
    """Predicts the mean of the rows of a call."""

    def predict(self, X: Any) -> Any:
        return np.full(len(X), super().predict(X).mean())


def test_a_model_that_depends_on_other_rows_is_refused() -> None:
    """The prediction for a caller's row would depend on the rows of other callers."""
    with pytest.raises(NotPublishable, match="Neighbourly predicts something else for a single row"):
        prove_round_trip(*model_of(Neighbourly().fit(X, WEIGHT), X))


def test_a_pipeline_that_needs_set_config_is_refused() -> None:
    """A server does not call sklearn.set_config: set_output must configure names between the steps."""
    scale = ColumnTransformer([("scaled", StandardScaler(), ["length", "width"])])
    pick = ColumnTransformer([("picked", "passthrough", ["scaled__length"])])
    leaning, upright = make_pipeline(scale, pick, Ridge()), make_pipeline(clone(scale), clone(pick), Ridge())

    with config_context(transform_output="pandas"):
        leaning.fit(X, WEIGHT)
        with pytest.raises(NotPublishable, match=r"only supported for dataframes.*; in place of sklearn\.set_config"):
            prove_round_trip(*model_of(leaning, X))

    prove_round_trip(*model_of(upright.set_output(transform="pandas").fit(X, WEIGHT), X))


class Gappy(LinearRegression):  # type: ignore[misc]  # scikit-learn has no types
    """Predicts NaN for negative lengths."""

    def predict(self, X: Any) -> Any:
        return np.where(np.asarray(X)[:, 0] < 0, np.nan, super().predict(X))


class Unsure(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
    """Predicts, but does not know how likely that is."""

    def predict_proba(self, X: Any) -> Any:
        return np.full((len(X), 2), np.nan)


class Curt(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
    """Gives the probability of one class alone."""

    def predict_proba(self, X: Any) -> Any:
        return super().predict_proba(X)[:, 1]


class Silent(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
    """Has predict_proba, which raises."""

    def predict_proba(self, X: Any) -> Any:
        raise AttributeError(f"not today, and not for {len(X)} rows")


class Stranger(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
    """Predicts an unknown class."""

    def predict(self, X: Any) -> Any:
        return super().predict(X) + 7


@pytest.mark.parametrize(
    ("estimator", "fitted", "X", "y", "advice"),
    [
        (
            DummyClassifier(strategy="stratified"),
            X,
            X,
            Y,
            "DummyClassifier predicts something else .* nothing in predict random",
        ),
        (tiny_models.Fickle(), X, X, Y, "Fickle predicts something else"),
        (LinearRegression(), X, X, np.c_[WEIGHT, WEIGHT], "LinearRegression has several outputs: publish one model"),
        (MLPClassifier(max_iter=1), X, X, np.c_[Y, 1 - Y], "MLPClassifier has several outputs"),
        (Gappy(), X, X, WEIGHT, "Gappy predicts NaN or infinity for some rows"),
        (Unsure(), X, X, Y, "Unsure predicts probabilities that are NaN or infinite"),
        (Curt(), X, X, Y, "Curt does not return one probability per class"),
        (Silent(), X, X, Y, "Silent cannot predict_proba X; .* not today"),
        (Stranger(), X, X, Y, "Stranger predicts a value that is not in its classes_"),
        (LogisticRegression(), X, X.assign(width="wide"), Y, "LogisticRegression cannot predict X"),
        (
            make_pipeline(TfidfVectorizer(), LogisticRegression()),
            LINES,
            LINES.to_frame(),
            Y,
            "Pipeline returns 1 predictions for 60 rows: .* a Series of texts, not a DataFrame",
        ),
        (
            make_pipeline(TfidfVectorizer(), LogisticRegression()),
            LINES,
            LINES.to_numpy()[:, None],
            Y,
            "Pipeline cannot predict X; is it what it was fitted on",
        ),
        (
            make_pipeline(FunctionTransformer(pd.DataFrame.sort_index), LogisticRegression()),
            X.set_axis(range(ROWS)[::-1]),
            X.set_axis(range(ROWS)[::-1]),
            Y,
            "Pipeline predicts something else",
        ),
    ],
    ids=str.split("random fickle outputs labels gaps unsure curt silent stranger texts frame column index"),
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_model_that_would_predict_something_else_is_refused(
    estimator: Any, fitted: Any, X: Any, y: Any, advice: str
) -> None:
    """It is refused before anything is written, with the likely reason."""
    estimator.fit(fitted, y)

    with pytest.raises(NotPublishable, match=f"^{advice}"):
        prove_round_trip(*model_of(estimator, X))


def test_rows_without_feature_names_are_refused() -> None:
    """scikit-learn's warning about missing feature names is an error here."""
    model, rows = model_of(LogisticRegression().fit(X, Y), X)

    with pytest.raises(NotPublishable, match="LogisticRegression cannot predict X; is it what it was fitted on"):
        prove_round_trip(model, Rows(X.to_numpy(), rows.frame))
