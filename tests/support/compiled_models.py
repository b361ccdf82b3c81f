"""Models of every kind that has a program, each small, with the rows that it was fitted on."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingRegressor,
)
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tests.support.published import model_of
from train.compile import Compilation, compile_model
from train.defaults import pipeline
from train.fitted_model import FittedModel
from train.rows import Rows

ROWS = 120
CHANCE = np.random.default_rng(1)
NUMBERS = pd.DataFrame(CHANCE.normal(size=(ROWS, 4)), columns=["a", "b", "c", "d"])
HOLED = NUMBERS.mask(CHANCE.random((ROWS, 4)) < 0.2)
COLOUR = pd.Series(CHANCE.choice(["red", "green", "blue"], ROWS))
MIXED = HOLED[["a", "b"]].assign(
    colour=COLOUR.mask(CHANCE.random(ROWS) < 0.1),
    size=pd.Series(CHANCE.choice(["s", "m", "l"], ROWS), dtype=object),
    grade=pd.Categorical(CHANCE.choice([3, 1, 2], ROWS), categories=[3, 1, 2]),
    count=CHANCE.integers(0, 9, ROWS),
    old=CHANCE.random(ROWS) < 0.5,
)
TWO = (NUMBERS["a"] + NUMBERS["b"] > 0).astype(int)
THREE = np.digitize(NUMBERS["a"] + NUMBERS["b"], [-0.5, 0.5])
WEIGHT = NUMBERS["a"] * 3 + NUMBERS["b"] + 9
TEXTS = ["colour", "size", "grade"]

_impute = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
_encoded = ColumnTransformer(
    [
        ("texts", _impute, TEXTS),
        ("numbers", make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["a", "b"]),
    ],
    remainder="passthrough",
)
_ordinal = make_column_transformer(
    (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2), TEXTS),
    ("drop", ["old"]),
    remainder="passthrough",
)
_targets = make_column_transformer((TargetEncoder(random_state=0), ["colour", "size"]), remainder="drop")


@dataclass(frozen=True, slots=True)
class Case:
    """An unfitted model, and the rows to fit it on."""

    name: str
    make: Callable[[], Any]
    X: Any
    y: Any

    def fitted(self) -> Any:
        """Return the fitted model."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.make().fit(self.X, self.y)

    def model(self) -> tuple[FittedModel, Rows]:
        """Return the fitted model with its signature, and its rows."""
        return model_of(self.fitted(), self.X)

    def compiled(self, *, tolerance: float = 1e-9) -> Compilation:
        """Return the result of compiling the model."""
        model, rows = self.model()
        return compile_model(model, rows, tolerance=tolerance)


def case(name: str, make: Callable[[], Any], X: Any = NUMBERS, y: Any = TWO) -> Case:
    """A case, by default of four numbers and two classes."""
    return Case(name, make, X, y)


LINEAR = [
    case("logistic", lambda: make_pipeline(StandardScaler(), LogisticRegression())),
    case("logistic of three", lambda: make_pipeline(StandardScaler(), LogisticRegression()), y=THREE),
    case("logistic on an array", LogisticRegression, NUMBERS.to_numpy()),
    case("single precision", lambda: make_pipeline(StandardScaler(), Ridge()), NUMBERS.astype("float32"), WEIGHT),
    case("stochastic", lambda: SGDClassifier(loss="log_loss", random_state=0), y=THREE),
    case("ridge classifier", RidgeClassifier, y=THREE),
    case("support vectors", LinearSVC),
    case("discriminant", LinearDiscriminantAnalysis, y=THREE),
    case("regression", lambda: make_pipeline(MinMaxScaler(clip=True), LinearRegression()), y=WEIGHT),
    case("stochastic regression", lambda: SGDRegressor(random_state=0), y=WEIGHT),
    case("robust", lambda: make_pipeline(RobustScaler(), SelectKBest(k=2), MaxAbsScaler(), Ridge()), y=WEIGHT),
    case("components", lambda: make_pipeline(PCA(2), LogisticRegression())),
    case("union", lambda: make_pipeline(make_union(StandardScaler(), PCA(2)), LogisticRegression())),
    case("imputed", lambda: make_pipeline(SimpleImputer(add_indicator=True), LogisticRegression()), HOLED),
    case("mixed", lambda: make_pipeline(_encoded, LogisticRegression(max_iter=500)), MIXED),
    case("targets", lambda: make_pipeline(_targets, StandardScaler(), LogisticRegression()), MIXED),
    case("search", lambda: GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2)),
    case(
        "numbers as categories",
        lambda: make_pipeline(
            make_column_transformer(
                (OneHotEncoder(handle_unknown="ignore"), ["count"]),
                (make_pipeline(SimpleImputer(), StandardScaler()), make_column_selector(dtype_include=float)),
            ),
            LogisticRegression(),
        ),
        MIXED,
    ),
]
TREES = [
    case("forest", lambda: RandomForestClassifier(20, random_state=0), y=THREE),
    case("forest with nulls", lambda: RandomForestRegressor(10, random_state=0), HOLED, WEIGHT),
    case("extra trees", lambda: ExtraTreesClassifier(10, random_state=0)),
    case("tree", DecisionTreeClassifier),
    case("tree of numbers", DecisionTreeRegressor, y=WEIGHT),
    case("boosting", lambda: GradientBoostingClassifier(n_estimators=10)),
    case("boosting of three", lambda: GradientBoostingClassifier(n_estimators=10, init="zero"), y=THREE),
    case("boosting of numbers", lambda: GradientBoostingRegressor(n_estimators=10), y=WEIGHT),
    case("histograms", lambda: HistGradientBoostingClassifier(max_iter=10), HOLED),
    case("histograms of three", lambda: HistGradientBoostingClassifier(max_iter=10), y=THREE),
    case("histograms of counts", lambda: HistGradientBoostingRegressor(loss="poisson", max_iter=10), y=WEIGHT**2),
    case(
        "histograms of categories",
        lambda: HistGradientBoostingClassifier(max_iter=10, min_samples_leaf=5),
        MIXED[["a", "grade", "b"]],
    ),
    case("mixed forest", lambda: make_pipeline(_ordinal, RandomForestClassifier(10, random_state=0)), MIXED),
    case("default", lambda: pipeline("classification", MIXED.drop(columns="grade")), MIXED.drop(columns="grade")),
    case("votes", lambda: VotingRegressor([("a", Ridge()), ("b", DecisionTreeRegressor())], weights=[1, 2]), y=WEIGHT),
    case("lightgbm", lambda: LGBMClassifier(n_estimators=10, verbose=-1, n_jobs=1), HOLED, THREE),
    case("lightgbm of numbers", lambda: LGBMRegressor(n_estimators=10, verbose=-1, n_jobs=1), y=WEIGHT),
    case(
        "lightgbm of categories",
        lambda: LGBMClassifier(n_estimators=10, verbose=-1, n_jobs=1, min_child_samples=3, min_data_per_group=1),
        MIXED[["grade", "a"]],
    ),
]
EVERY = [*LINEAR, *TREES]
