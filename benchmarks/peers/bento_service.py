"""BentoML: one service with every model and adaptive batching."""

import os
from pathlib import Path

import bentoml
import joblib
import numpy as np
from frames import Frames

FOLDER = Path(os.environ["BENCH_MODELS"])
NAMES = ("iris", "forest", "boosting", "penguins")
BATCHED = {"batchable": True, "batch_dim": 0, "max_batch_size": 100_000, "max_latency_ms": 10_000}


@bentoml.service(workers=1, traffic={"timeout": 60}, logging={"access": {"enabled": False}}, metrics={"enabled": False})
class Models:
    """The models, one route per model."""

    def __init__(self) -> None:
        self.models = {name: joblib.load(FOLDER / f"{name}.joblib") for name in NAMES}
        self.frames = Frames(FOLDER, "penguins")

    @bentoml.api(route="/iris/predict", **BATCHED)
    def iris(self, rows: np.ndarray) -> np.ndarray:
        """Labels of flowers."""
        return self.models["iris"].predict(rows)

    @bentoml.api(route="/forest/predict", **BATCHED)
    def forest(self, rows: np.ndarray) -> np.ndarray:
        """Labels of tumours."""
        return self.models["forest"].predict(rows)

    @bentoml.api(route="/boosting/predict", **BATCHED)
    def boosting(self, rows: np.ndarray) -> np.ndarray:
        """Labels of tumours."""
        return self.models["boosting"].predict(rows)

    @bentoml.api(route="/penguins/predict", **BATCHED)
    def penguins(self, rows: list[list]) -> list[str]:
        """Species of penguins; batching of frames fails with a TypeError, batching of lists works."""
        return self.models["penguins"].predict(self.frames.of(rows)).tolist()
