"""Which estimators, targets and labels can be served; the others are refused by name, with advice."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.cluster import KMeans
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KernelDensity, LocalOutlierFactor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier, XGBRegressor

from train.admission import check_target, container_of, labels_of, task_of
from train.errors import NotPublishable
from train.rows import as_rows

CHANCE = np.random.default_rng(0)
X = pd.DataFrame({"length": CHANCE.normal(size=40), "width": CHANCE.normal(size=40)})
Y = (X["length"] > 0).astype(int)
BOTH = np.c_[Y, 1 - Y]
BLANKS = X.set_axis(["length (cm)", "leaf width"], axis=1)


class Descending(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
    """Lists its classes from the last to the first."""

    def fit(self, X: Any, y: Any) -> Any:
        super().fit(X, y)
        self.classes_: Any = np.unique(y)[::-1]
        return self


def booster(**known: Any) -> Any:
    """A small one without output."""
    return LGBMClassifier(n_estimators=2, verbose=-1, n_jobs=1, **known)


@pytest.mark.parametrize(
    ("estimator", "task"),
    [
        (LogisticRegression(), "classification"),
        (RidgeClassifier(), "classification"),
        (make_pipeline(StandardScaler(), LogisticRegression()), "classification"),
        (GridSearchCV(LogisticRegression(), {}, cv=2), "classification"),
        (TunedThresholdClassifierCV(LogisticRegression(), cv=2), "classification"),
        (booster(), "classification"),
        (XGBClassifier(n_estimators=2), "classification"),
        (LinearRegression(), "regression"),
        (TransformedTargetRegressor(LinearRegression()), "regression"),
        (XGBRegressor(n_estimators=2), "regression"),
    ],
    ids=lambda case: type(case).__name__ if not isinstance(case, str) else "",
)
def test_classifiers_and_regressors_are_admitted(estimator: Any, task: str) -> None:
    """The task of any estimator with one output is recognised by its tags."""
    assert task_of(estimator.fit(X, Y)) == task


@pytest.mark.parametrize(
    ("estimator", "advice"),
    [
        (KMeans(2, n_init=1).fit(X), "KMeans is a clusterer, .*: train a classifier on its clusters"),
        (
            IsolationForest(n_estimators=5).fit(X),
            "IsolationForest is an outlier detector, .* classifier on its predictions",
        ),
        (LocalOutlierFactor(2).fit(X), "LocalOutlierFactor is an outlier detector"),
        (OneClassSVM().fit(X), "OneClassSVM is an outlier detector"),
        (PCA(1).fit(X), "PCA is a transformer, .*: put it in a Pipeline, before a model"),
        (StandardScaler().fit(X), "StandardScaler is a transformer"),
        (make_pipeline(StandardScaler(), PCA(1)).fit(X), "Pipeline is a transformer"),
        (KernelDensity().fit(X), "KernelDensity is not a classifier or a regressor"),
        (LogisticRegression, "LogisticRegression is a class: fit an instance of it"),
        (RandomForestClassifier, "RandomForestClassifier is a class: fit an instance of it"),
        (booster().fit(X, Y).booster_, "Booster is not a fitted scikit-learn estimator"),
        ("model.joblib", "str is not a fitted scikit-learn estimator"),
        ([LogisticRegression().fit(X, Y)], "list is not a fitted scikit-learn estimator"),
        (None, "NoneType is not a fitted scikit-learn estimator"),
        (LogisticRegression(), "LogisticRegression is not fitted: call fit first"),
        (booster(), "LGBMClassifier is not fitted: call fit first"),
        (XGBRegressor(), "XGBRegressor is not fitted: call fit first"),
        (Pipeline([("model", LogisticRegression())]), "Pipeline is not fitted: call fit first"),
        (RandomForestClassifier(2).fit(X, BOTH), "RandomForestClassifier has several outputs: publish one model"),
        (MultiOutputClassifier(LogisticRegression()).fit(X, BOTH), "MultiOutputClassifier has several outputs"),
        (ClassifierChain(LogisticRegression()).fit(X, BOTH), "ClassifierChain has several outputs"),
        (GridSearchCV(LogisticRegression(), {}, cv=2, refit=False).fit(X, Y), "GridSearchCV has no classes_: .* refit"),
        (Descending().fit(X, Y), "Descending .* not in ascending order"),
    ],
    ids=lambda case: case.split()[0] if isinstance(case, str) else type(case).__name__,
)
def test_an_estimator_that_cannot_be_served_is_refused(estimator: Any, advice: str) -> None:
    """What is no fitted classifier or regressor of one output is refused by name, with what to do."""
    with pytest.raises(NotPublishable, match=f"^{advice}"):
        task_of(estimator)


@pytest.mark.parametrize(
    ("estimator", "rows", "container"),
    [
        (LogisticRegression().fit(X, Y), X, "frame"),
        (LogisticRegression().fit(X.to_numpy(), Y), X.to_numpy(), "array"),
        (LogisticRegression().fit(X.to_numpy(), Y), X, "array"),
        (booster().fit(BLANKS, Y), BLANKS, "frame"),
        (booster().fit(X.to_numpy(), Y), X.to_numpy(), "array"),
        (booster().fit(X.to_numpy(), Y), X, "array"),
        (XGBClassifier(n_estimators=2).fit(BLANKS, Y), BLANKS, "frame"),
        (XGBClassifier(n_estimators=2).fit(X.to_numpy(), Y), X.to_numpy(), "array"),
        (make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(["ab", "cd"], [0, 1]), ["ab", "cd"], "series"),
    ],
    ids=str.split("frame array values blanks lightgbm lightgbm-values xgboost-blanks xgboost texts"),
)
@pytest.mark.filterwarnings("ignore:Found whitespace in feature_names")
def test_the_container_is_what_it_was_fitted_on(estimator: Any, rows: Any, container: str) -> None:
    """An estimator that knows no names was fitted on the values of a frame; LightGBM's underscores stand for blanks."""
    assert container_of(estimator, as_rows(rows)) == container


@pytest.mark.parametrize(
    ("fitted", "rows", "advice"),
    [
        (X, X[["width", "length"]], "in the same order: it was fitted on a DataFrame of length, width$"),
        (X, X[["length"]], "must be those that the estimator was fitted on"),
        (X, X.rename(columns={"width": "depth"}), "must be those that the estimator was fitted on"),
        (X, X.to_numpy(), "must be those that the estimator was fitted on"),
        (X.to_numpy(), X[["length"]], "X has 1 columns and the estimator was fitted on 2"),
        (X.to_numpy(), X.to_numpy()[:, :1], "X has 1 columns and the estimator was fitted on 2"),
    ],
    ids=str.split("order fewer renamed array narrow-frame narrow-array"),
)
def test_a_table_of_other_columns_is_refused(fitted: Any, rows: Any, advice: str) -> None:
    """X must have the columns that the estimator was fitted on, in the same order, as far as it knows them."""
    estimator = DecisionTreeClassifier().fit(fitted, Y)

    with pytest.raises(NotPublishable, match=advice):
        container_of(estimator, as_rows(rows))


@pytest.mark.parametrize(
    "y",
    [None, Y, Y.tolist(), Y.to_numpy()[:, None], Y.to_frame("grown"), Y.astype("int8"), Y.astype("category"), Y * 0],
    ids=str.split("none series list column frame int8 category one"),
)
def test_a_target_may_be_passed_in_any_shape(y: Any) -> None:
    """One class per row, in any container, or no target."""
    check_target(LogisticRegression().fit(X, Y), "classification", as_rows(X), y)


@pytest.mark.parametrize(
    ("y", "advice"),
    [
        (Y[:-1], "X has 40 rows and y has 39"),
        (1, "X has 40 rows and y has 1"),
        (BOTH, "y has 2 outputs: publish one model per output"),
        (
            Y.replace(1, 2),
            "y holds 2, which is not a class of the estimator: pass the y that",
        ),
        (Y.astype(str), "y holds '0', which is not a class"),
        ([None, *Y[1:]], "y has 1 nulls: remove the rows without a target"),
        (Y.astype("Int64").mask(X.index == 0), "y has 1 nulls"),
        (["a", *Y[1:]], "y holds '0', which is not a class"),
    ],
    ids=str.split("short one both unknown texts none null mixed"),
)
def test_a_target_that_does_not_fit_is_refused(y: Any, advice: str) -> None:
    """Each row must have one class, which the estimator knows."""
    with pytest.raises(NotPublishable, match=advice):
        check_target(LogisticRegression().fit(X, Y), "classification", as_rows(X), y)


@pytest.mark.parametrize(
    ("labels", "output"),
    [
        (None, [0, 1]),
        (["short", "long"], ["short", "long"]),
        (("short", "long"), ["short", "long"]),
        (np.array(["short", "long"]), ["short", "long"]),
        (pd.Series(["short", "long"]), ["short", "long"]),
        ({1: "long", 0: "short"}, ["short", "long"]),
        ({np.int64(1): "long", 0: "short"}, ["short", "long"]),
        ([False, True], [False, True]),
        (np.array([5, 6]), [5, 6]),
    ],
    ids=str,
)
def test_labels_are_one_per_class(labels: Any, output: list[Any]) -> None:
    """Labels are in ascending order of the classes or by class; without labels, callers get the class."""
    lines = labels_of(np.array([0, 1]), labels)

    assert [(line.value, repr(line.label)) for line in lines] == list(zip([0, 1], map(repr, output), strict=True))


@pytest.mark.parametrize(
    "classes",
    [[False, True], np.array([-1, 1], dtype="int8"), np.array([2**64 - 2, 2**64 - 1]), ["", "a"], np.array(["a", "b"])],
    ids=str,
)
def test_classes_keep_their_type(classes: Any) -> None:
    """Classes are native booleans, integers of any width and sign, or texts."""
    lines = labels_of(np.array(classes), None)

    assert [repr(line.label) for line in lines] == list(map(repr, np.array(classes).tolist()))


@pytest.mark.parametrize(
    ("labels", "advice"),
    [
        (["one"], "2 classes need as many labels, and there are 1"),
        (["same", "same"], r"2 classes need as many distinct labels, and some of \['same', 'same'\] are the same"),
        ({0: "same", 1: "same"}, "2 classes need as many distinct labels"),
        ([1, "1"], "2 classes need as many distinct labels"),
        ([True, "true"], "2 classes need as many distinct labels"),
        ({0: "no"}, r"labels must name exactly the classes \[0, 1\]"),
        ({"0": "no", "1": "yes"}, "labels must name exactly the classes"),
        ({0: "no", 1: "yes", 2: "maybe"}, "labels must name exactly the classes"),
        ("ab", "labels must be a list of one text per class"),
        ([None, "yes"], "classes and labels must be texts, integers or booleans"),
        ([0.5, 1.5], "classes and labels must be texts, integers or booleans"),
        ([["a"], ["b"]], "classes and labels must be texts, integers or booleans"),
    ],
    ids=str,
)
def test_labels_that_do_not_fit_the_classes_are_refused(labels: Any, advice: str) -> None:
    """Each class has one label, and no two have the same."""
    with pytest.raises(NotPublishable, match=advice):
        labels_of(np.array([0, 1]), labels)


def test_classes_that_are_floats_are_refused() -> None:
    """A y that became floats because of nulls must be converted; it is not rounded."""
    with pytest.raises(NotPublishable, match="texts, integers or booleans: convert y before fitting"):
        labels_of(np.array([0.0, 1.0]), None)
