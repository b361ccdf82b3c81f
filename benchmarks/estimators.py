"""
Publish every classifier and regressor that scikit-learn lists, call it over HTTP, and compare with offline.

    python -m benchmarks.estimators docs/estimators.md

Each is fitted on small real data, published with `train.publish`, served by one server, and called with a hundred rows
as JSON and as CSV. The table has the result: the same predictions, or a refusal with its reason. Takes about six
minutes.
"""

import csv
import io
import json
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from catboost import CatBoostClassifier, CatBoostRegressor
from lightgbm import LGBMClassifier, LGBMRegressor
from rich.progress import track
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.utils import all_estimators
from xgboost import XGBClassifier, XGBRegressor, XGBRFClassifier, XGBRFRegressor

from artifacts import Store
from artifacts.description import executed
from tests.support.server import Api, Server, environment
from train import publish
from train.errors import NotPublishable

ROWS = 100
TOLERANCE = 1e-9

# Required arguments, and defaults that do not work for such small data.
_ARGUMENTS: dict[str, dict[str, Any]] = {
    **{
        name: {"estimator": LogisticRegression(max_iter=1000)}
        for name in (
            "ClassifierChain",
            "FixedThresholdClassifier",
            "MultiOutputClassifier",
            "OneVsOneClassifier",
            "OneVsRestClassifier",
            "OutputCodeClassifier",
            "SelfTrainingClassifier",
            "TunedThresholdClassifierCV",
        )
    },
    **{name: {"estimator": LinearRegression()} for name in ("MultiOutputRegressor", "RegressorChain")},
    "CCA": {"n_components": 1},
    "PLSCanonical": {"n_components": 1},
    "StackingClassifier": {"estimators": [("forest", RandomForestClassifier(10, random_state=0))]},
    "StackingRegressor": {"estimators": [("linear", LinearRegression())]},
    "VotingClassifier": {"estimators": [("logistic", LogisticRegression(max_iter=1000))]},
    "VotingRegressor": {"estimators": [("linear", LinearRegression())]},
}
_QUIET: dict[str, Any] = {"verbose": False, "allow_writing_files": False}
_BINARY = {"FixedThresholdClassifier", "TunedThresholdClassifierCV"}
_SEVERAL_OUTPUTS = {
    "ClassifierChain",
    "MultiOutputClassifier",
    "MultiOutputRegressor",
    "MultiTaskElasticNet",
    "MultiTaskElasticNetCV",
    "MultiTaskLasso",
    "MultiTaskLassoCV",
    "RegressorChain",
}
_ONE_COLUMN = {"IsotonicRegression"}


@dataclass
class Trial:
    """One estimator and its result."""

    kind: str
    name: str
    estimator: Any
    result: str = ""
    difference: float | None = None
    probabilities: bool = False
    runtime: str = ""
    reason: str = ""

    @property
    def model(self) -> str:
        """The name of the model in the store."""
        return self.name.lower()

    def data(self) -> tuple[pd.DataFrame, Any]:
        """Return iris or diabetes, with one column, two classes or two outputs if the estimator needs them."""
        load = load_iris if self.kind == "classifier" else load_diabetes
        X, y = load(return_X_y=True, as_frame=True)
        X = X.rename(columns=lambda name: name.removesuffix(" (cm)").replace(" ", "_"))
        if self.kind == "classifier":
            y = (y == 2).astype(int) if self.name in _BINARY else y
        if self.name in _SEVERAL_OUTPUTS:
            return X, np.column_stack([y, y])
        return (X[["bmi"]] if self.name in _ONE_COLUMN else X), y


def trials() -> list[Trial]:
    """Return all estimators that scikit-learn lists, then searches and those of other libraries."""
    listed = [
        Trial(kind, name, _create(name, cls))
        for kind in ("classifier", "regressor")
        for name, cls in all_estimators(type_filter=kind)
    ]
    forest, grid = RandomForestClassifier(random_state=0), {"max_depth": [2, 3]}
    return [
        *listed,
        Trial("classifier", "GridSearchCV", GridSearchCV(forest, grid, cv=3)),
        Trial("classifier", "RandomizedSearchCV", RandomizedSearchCV(forest, grid, n_iter=2, cv=3, random_state=0)),
        Trial("classifier", "LGBMClassifier", LGBMClassifier(n_estimators=20, verbose=-1)),
        Trial("regressor", "LGBMRegressor", LGBMRegressor(n_estimators=20, verbose=-1)),
        Trial("classifier", "XGBClassifier", XGBClassifier(n_estimators=20)),
        Trial("regressor", "XGBRegressor", XGBRegressor(n_estimators=20)),
        Trial("classifier", "XGBRFClassifier", XGBRFClassifier(n_estimators=20)),
        Trial("regressor", "XGBRFRegressor", XGBRFRegressor(n_estimators=20)),
        Trial("classifier", "CatBoostClassifier", CatBoostClassifier(iterations=20, **_QUIET)),
        Trial("regressor", "CatBoostRegressor", CatBoostRegressor(iterations=20, **_QUIET)),
    ]


def _create(name: str, cls: Any) -> Any:
    estimator = cls(**_ARGUMENTS.get(name, {}))
    return estimator.set_params(random_state=0) if "random_state" in estimator.get_params() else estimator


def fit_and_publish(trial: Trial, store: Store) -> None:
    """Fit and publish, or record the refusal."""
    X, y = trial.data()
    with warnings.catch_warnings():
        # Whether default parameters converge on this data does not matter here.
        warnings.simplefilter("ignore")
        trial.estimator.fit(X, y)
    try:
        manifest = publish(trial.estimator, X, y, name=trial.model, store=store)
        execution = manifest.execution
        if execution:
            trial.runtime = executed(execution)
            trial.reason = "" if set(execution.choice.values()) != {"sklearn"} else execution.candidates[-1].refused
    except NotPublishable as error:
        trial.result = f"refused: {error}"


def compare(trial: Trial, api: Api) -> None:
    """Predict the same hundred rows offline, as JSON and as CSV."""
    X, _ = trial.data()
    rows = X.iloc[np.linspace(0, len(X) - 1, ROWS).astype(int)]
    expected = np.asarray(trial.estimator.predict(rows)).ravel()
    path = f"/api/v1/models/{trial.model}/predict"
    answer = api.predict(rows.to_numpy().tolist(), path)
    lines = list(csv.DictReader(io.StringIO(api.post_csv(rows.to_csv(index=False).encode(), f"{path}/csv").text)))
    if answer.status_code != 200 or len(lines) != ROWS:
        trial.result = f"wrong: {answer.status_code} {answer.text[:200]}"
        return
    by_json, by_csv = answer.json(), [line["prediction"] for line in lines]
    if trial.kind == "classifier":
        trial.probabilities = "probabilities" in by_json
        same = by_json["predictions"] == expected.tolist() and by_csv == list(map(str, expected.tolist()))
        numbers = trial.estimator.predict_proba(rows) if trial.probabilities else expected
        trial.difference = _difference(by_json.get("probabilities", by_json["predictions"]), numbers)
    else:
        same = True
        trial.difference = max(
            _difference(by_json["predictions"], expected), _difference(list(map(float, by_csv)), expected)
        )
    trial.result = "the same" if same and trial.difference <= TOLERANCE else "wrong"


def _difference(got: Any, expected: Any) -> float:
    return float((np.abs(np.asarray(got) - expected) / np.maximum(1, np.abs(expected))).max())


def table(done: list[Trial]) -> Iterator[str]:
    """Yield the lines of the page."""
    counts = {word: sum(trial.result.startswith(word) for trial in done) for word in ("the same", "refused", "wrong")}
    yield "# Every estimator\n"
    yield (
        f"scikit-learn {version('scikit-learn')}, LightGBM {version('lightgbm')}, XGBoost {version('xgboost-cpu')}, "
        f"CatBoost {version('catboost')}: each classifier that scikit-learn lists was fitted on iris and each "
        f"regressor on diabetes, with default parameters, published, and called with {ROWS} rows over HTTP as JSON "
        "and as CSV. The predictions were compared with those of the same object in the process that fitted it. "
        "Written by `python -m benchmarks.estimators docs/estimators.md`.\n"
    )
    yield f"{counts['the same']} predicted the same, {counts['refused']} were refused, {counts['wrong']} were wrong.\n"
    yield (
        "*Runtime* is what publishing chose: `numpy`, `trees` or `treelite` are programs that were proven to predict "
        "the same ([how](artifacts.md#runtimes)); `sklearn` is the estimator itself, with the reason.\n"
    )
    yield "| estimator | predictions | largest difference | probabilities | runtime |"
    yield "|---|---|---|---|---|"
    for trial in done:
        difference = "" if trial.difference is None else "0" if trial.difference == 0 else f"{trial.difference:.0e}"
        runtime = f"{trial.runtime}: {trial.reason}" if trial.reason else trial.runtime
        yield f"| {trial.name} | {trial.result} | {difference} | {'yes' if trial.probabilities else ''} | {runtime} |"


def main() -> int:
    """Measure all of them; return 1 if one was wrong."""
    target = Path(sys.argv[1])
    done = trials()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store")
        for trial in track(done, description="publishing"):
            fit_and_publish(trial, store)
        env = environment(artifacts=store.root, state=Path(folder) / "state", log_format="json")
        with Server(env) as server:
            api = Api(server, server.bearer())
            for trial in track([trial for trial in done if not trial.result], description="calling"):
                compare(trial, api)
    target.write_text("\n".join(table(done)) + "\n")
    wrong = [trial.name for trial in done if not trial.result.startswith(("the same", "refused"))]
    print(json.dumps({"wrong": wrong}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
