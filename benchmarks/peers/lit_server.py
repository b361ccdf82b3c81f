"""
LitServe: models, each with its worker and its batching.

    BENCH_MODELS=folder BENCH_NAMES=iris python lit_server.py PORT
"""

import os
import sys
from itertools import accumulate
from pathlib import Path

import joblib
import litserve
import numpy as np
import pandas as pd
from frames import Frames

FOLDER = Path(os.environ["BENCH_MODELS"])


class Model(litserve.LitAPI):
    """One model behind /NAME/predict."""

    def __init__(self, name: str) -> None:
        super().__init__(api_path=f"/{name}/predict", max_batch_size=64, batch_timeout=0.002)
        self.name = name

    def setup(self, device: str) -> None:
        """Load the model, in the worker."""
        self.model = joblib.load(FOLDER / f"{self.name}.joblib")
        self.frames = Frames(FOLDER, self.name) if self.name == "penguins" else None

    def decode_request(self, request: dict) -> list | np.ndarray:
        """Return the rows of one request."""
        return request["rows"] if self.frames else np.asarray(request["rows"], dtype=float)

    def batch(self, inputs: list) -> pd.DataFrame | np.ndarray:
        """Return the rows of all requests of a batch."""
        self.ends = list(accumulate(map(len, inputs)))[:-1]
        return self.frames.of([row for rows in inputs for row in rows]) if self.frames else np.concatenate(inputs)

    def predict(self, rows: pd.DataFrame | np.ndarray) -> np.ndarray:
        """Return the labels of the rows."""
        return self.model.predict(rows)

    def unbatch(self, output: np.ndarray) -> list[np.ndarray]:
        """Return the labels of each request."""
        return np.split(output, self.ends)

    def encode_response(self, output: np.ndarray) -> dict:
        """Return the response to one request."""
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    models = [Model(name) for name in os.environ["BENCH_NAMES"].split(",")]
    server = litserve.LitServer(models, accelerator="cpu", workers_per_device=1, timeout=60)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=1,
        generate_client_file=False,
        log_level="warning",
        access_log=False,
    )
