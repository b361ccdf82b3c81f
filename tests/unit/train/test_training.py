"""The warnings about a trained model."""

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression

from train import training
from train.admission import Task
from train.experiments import Experiment
from train.fit import split

DRAW = np.random.default_rng(0)


def _doubts(estimator: object, y: "pd.Series[float]", *, rows: int = 100) -> list[str]:
    X = pd.DataFrame({"noise": DRAW.normal(size=rows)})
    task: Task = "regression" if isinstance(estimator, LinearRegression) else "classification"
    plan = Experiment("made", split(task, X, y), estimator, folds=3, source="made up")
    trial = training.run(plan, progress=lambda folds, _: folds)
    return [doubt.what for doubt in training.warnings_about(trial, plan)]


@pytest.mark.parametrize(("estimator", "y", "words"), [
    (LinearRegression(), pd.Series(DRAW.normal(size=100)), "always predicting the mean reaches 0.000"),
    (DummyClassifier(), pd.Series([0, 0, 0, 1] * 25), "always predicting the most frequent class reaches 0.750"),
])  # fmt: skip
def test_a_model_no_better_than_a_guess_is_a_warning(estimator: object, y: "pd.Series[float]", words: str) -> None:
    """A model of noise is reported."""
    [output] = _doubts(estimator, y)

    assert output.startswith(f"the model is no better than a guess: {words}")


def test_few_held_back_rows_are_a_warning() -> None:
    """Scores of two held-back rows are reported as unreliable."""
    output = _doubts(LinearRegression(), pd.Series(DRAW.normal(size=12)), rows=12)

    assert "the scores are those of 3 held-back rows, too few to say much" in output
