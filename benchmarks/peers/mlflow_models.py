"""
Create MLflow's model folders from the same pickles.

    BENCH_MODELS=folder python mlflow_models.py TARGET NAME...

MLflow's scikit-learn flavour leaves None in a column of texts, where scikit-learn needs NaN; a model with such columns
is wrapped, as MLflow's documentation advises.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import joblib
import mlflow
import numpy as np
import pandas as pd
from frames import Frames


class FrameModel(mlflow.pyfunc.PythonModel):
    """A model that accepts texts and nulls."""

    def __init__(self, model: Any, frames: Frames) -> None:
        self.model, self.frames = model, frames

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict | None = None) -> np.ndarray:
        """Return the labels of the rows."""
        return self.model.predict(self.frames.of(model_input))


source, target = Path(os.environ["BENCH_MODELS"]), Path(sys.argv[1])
for name in sys.argv[2:]:
    shutil.rmtree(target / name, ignore_errors=True)
    model, requirements = joblib.load(source / f"{name}.joblib"), ["scikit-learn"]
    if name == "penguins":
        wrapped = FrameModel(model, Frames(source, name))
        mlflow.pyfunc.save_model(target / name, python_model=wrapped, pip_requirements=requirements)
    else:
        mlflow.sklearn.save_model(
            model, target / name, serialization_format="cloudpickle", pip_requirements=requirements
        )
