"""What is told of a model that has been tried."""

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression

from train import trials
from train.admission import Task
from train.fit import split
from train.plans import Plan

DRAW = np.random.default_rng(0)


def _doubts(estimator: object, y: "pd.Series[float]", *, rows: int = 100) -> list[str]:
    X = pd.DataFrame({"noise": DRAW.normal(size=rows)})
    task: Task = "regression" if isinstance(estimator, LinearRegression) else "classification"
    plan = Plan("made", split(task, X, y), estimator, folds=3, source="made up")
    trial = trials.run(plan, progress=lambda folds, _: folds)
    return [doubt.what for doubt in trials.doubts(trial, plan)]


@pytest.mark.parametrize(("estimator", "y", "words"), [
    (LinearRegression(), pd.Series(DRAW.normal(size=100)), "always the mean reaches 0.000"),
    (DummyClassifier(), pd.Series([0, 0, 0, 1] * 25), "always the commonest class reaches 0.750"),
])  # fmt: skip
def test_a_model_that_learned_nothing_is_told(estimator: object, y: "pd.Series[float]", words: str) -> None:
    """Noise teaches nothing, and whoever publishes it hears so."""
    [told] = _doubts(estimator, y)

    assert told.startswith(f"the model is no better than a guess: {words}")


def test_a_handful_of_judges_is_told() -> None:
    """Two held-back rows decide nothing."""
    told = _doubts(LinearRegression(), pd.Series(DRAW.normal(size=12)), rows=12)

    assert "3 held-back rows judge the model, and a few rows say little" in told
