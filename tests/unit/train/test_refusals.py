"""What `publish` refuses, and the messages."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from artifacts import Store
from artifacts.errors import NameInvalid
from tests.support import tiny_models
from tests.support.server import ROOT, environment
from train import publish
from train.errors import NotPublishable
from train.recipes import Recipe

CHANCE = np.random.default_rng(0)
X = pd.DataFrame({"length": CHANCE.normal(size=40), "width": CHANCE.normal(size=40)})
Y = (X["length"] > 0).astype(int)
WEIGHT = 3 * X["length"] + 9
FITTED = LogisticRegression().fit(X, Y)

SCRIPT = """
from sklearn.linear_model import LogisticRegression
from train import publish
from train.errors import NotPublishable
class Own(LogisticRegression): ...
try:
    publish(Own().fit([[0], [1]], [0, 1]), [[0], [1]], [0, 1], name="own")
except NotPublishable as error:
    print(error)
"""


class Stubborn(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
    """Does not want to be pickled."""

    def __getstate__(self) -> Any:
        raise RuntimeError("I stay here")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(tmp_path)


@pytest.mark.parametrize(
    ("estimator", "X", "y", "advice"),
    [
        (None, X, Y, "NoneType is not a fitted scikit-learn estimator"),
        (FITTED, X[["width", "length"]], Y, "must be those that the estimator was fitted on, in the same order"),
        (FITTED, X.iloc[:39], Y, "X has 39 rows and y has 40"),
        (FITTED, X, Y.where(X["length"] > 0), r"y has \d+ nulls: remove the rows without a target"),
        (FITTED, X.assign(width=pd.to_datetime("2026-01-01")), Y, "column 'width' has dtype datetime64"),
        (FITTED, X.replace({"width": {X["width"][0]: np.inf}}), Y, "column 'width' holds an infinity"),
        (LogisticRegression().fit(X, Y.astype(float)), X, Y, "texts, integers or booleans: convert y before fitting"),
        (tiny_models.Fickle().fit(X, Y), X, Y, "Fickle predicts something else"),
        (Stubborn().fit(X, Y), X, Y, r"cannot be pickled \(I stay here\)"),
        (make_pipeline(FunctionTransformer(lambda X: X), LogisticRegression()).fit(X, Y), X, Y, "pickled .*: lambdas"),
    ],
    ids=str.split("none order short nulls datetime infinity floats fickle stubborn lambda"),
)
def test_a_model_that_cannot_be_served_is_refused(store: Store, estimator: Any, X: Any, y: Any, advice: str) -> None:
    """The reason is given with advice, and nothing is written."""
    with pytest.raises(NotPublishable, match=advice):
        publish(estimator, X, y, name="model", store=store)

    assert store.models() == []


@pytest.mark.parametrize(
    ("more", "advice"),
    [
        ({"tolerance": float("inf")}, "tolerance must be a finite number, 0 or more, and is inf"),
        ({"tolerance": -1.0}, "tolerance must be a finite number"),
        ({"unknown": "maybe"}, "unknown must be one of refuse, pass, and is 'maybe'"),
        ({"unknown_names": "pass"}, "unknown_names must be one of refuse, ignore, and is 'pass'"),
        ({"deadline_s": 0.0}, "deadline_s: "),
        ({"csv_nulls": "NA"}, "csv_nulls must be a list of texts"),
        ({"csv_nulls": [-999]}, "csv_nulls must be a list of texts"),
        ({"columns": ["a", "b"]}, "columns is for arrays"),
        ({"labels": "ab"}, "labels must be a list of one text per class"),
        ({"held_back": (X, Y[1:])}, "held_back has 40 rows of X and 39 of y"),
        ({"held_back": (X[["length"]], Y)}, "held_back has other columns than X"),
    ],
    ids=str.split("infinite negative unknown names deadline text number columns labels short narrow"),
)
def test_arguments_of_the_wrong_type_are_refused(store: Store, more: dict[str, Any], advice: str) -> None:
    """A text in place of a list, or an unknown option value, is refused."""
    with pytest.raises(NotPublishable, match=advice):
        publish(FITTED, X, Y, name="model", store=store, **more)


def test_a_score_that_is_not_finite_is_refused(store: Store) -> None:
    """A manifest cannot hold it, and it is refused before anything is written."""
    with pytest.raises(NotPublishable, match="scores: Input should be a finite number"):
        publish(FITTED, X, Y, name="model", store=store, scores={"auc": float("nan")})

    assert store.models() == []


def test_labels_are_not_for_regressors(store: Store) -> None:
    """A number has no label, and a list of them was meant for another model."""
    with pytest.raises(NotPublishable, match="labels are for classes, and a regressor has none"):
        publish(LinearRegression().fit(X, WEIGHT), X, WEIGHT, name="model", labels=["a"], store=store)


@pytest.mark.parametrize(
    ("name", "y"),
    [("prediction", Y), ("error", Y), ("probability_1", Y), ("probability_true", Y.astype(bool))],
)
def test_a_column_that_a_csv_response_adds_is_refused(store: Store, name: str, y: Any) -> None:
    """A CSV response has the columns of the request and its own, without duplicates."""
    table = X.rename(columns={"width": name})

    with pytest.raises(NotPublishable, match=f"a CSV response adds a column '{name}', .*: rename it"):
        publish(LogisticRegression().fit(table, y), table, name="model", store=store)


def test_half_a_character_is_refused(store: Store) -> None:
    """A label that was decoded with surrogates cannot be written to any JSON, nor a name or a text that was."""
    with pytest.raises(NotPublishable, match=r"half of a surrogate pair, .*: correct its encoding"):
        publish(FITTED, X, name="model", labels=["short", "\udfff"], store=store)


def test_a_class_of_train_is_refused(store: Store) -> None:
    """A server never imports train, so nothing of it may be inside a model."""
    estimator = make_pipeline(FunctionTransformer(kw_args={}), LogisticRegression()).fit(X, Y)
    estimator.recipe = Recipe

    with pytest.raises(NotPublishable, match=r"a server never imports train.*move it to a file"):
        publish(estimator, X, Y, name="model", store=store)


def test_a_class_of_a_script_is_refused(tmp_path: Path) -> None:
    """A class that a script defines for itself is not there when a server loads the model."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)

    output = subprocess.run(
        [sys.executable, script],
        env={**environment(artifacts=tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (output.returncode, output.stderr) == (0, "")
    assert "the model uses Own, defined in the running notebook or script" in output.stdout
    assert "move it to a file next to the notebook or script, such as features.py" in output.stdout
    assert Store(tmp_path).models() == []


def test_an_invalid_name_is_refused_first(store: Store) -> None:
    """The name is checked before anything else."""
    with pytest.raises(NameInvalid):
        publish(None, X, Y, name="../model", store=store)
