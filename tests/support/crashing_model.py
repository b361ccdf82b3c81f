"""A model that is published without failure, and later does to its process what a broken model may do."""

import asyncio
import ctypes
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from artifacts import Manifest, Store
from tests.support import tiny_models


def _raises(error: type[BaseException]) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def _work(for_s: float) -> None:
    until = time.process_time() + for_s
    while time.process_time() < until:
        pass


ACTS: dict[str, Callable[[], object]] = {
    "KeyboardInterrupt": _raises(KeyboardInterrupt),
    "SystemExit": _raises(SystemExit),
    "GeneratorExit": _raises(GeneratorExit),
    "CancelledError": _raises(asyncio.CancelledError),
    "StopIteration": _raises(StopIteration),
    "segfault": lambda: ctypes.string_at(0),
    "exit": lambda: os._exit(7),
    "sleep": lambda: time.sleep(3600),
    "memory": lambda: np.ones(4 * 2**30, dtype=np.uint8),
    "work": lambda: _work(1.0),
}
_NAMES = list(ACTS)


class Crashing(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
    """Fails for rows whose length is over 1,000, and when it is loaded while the file `load` names a failure."""

    def __init__(self, folder: str = "", C: float = 1.0) -> None:
        super().__init__(C=C)
        self.folder = folder

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state)
        with (Path(self.folder) / "loads").open("a") as loads:
            print(os.getpid(), file=loads)
        file = Path(self.folder) / "load"
        if file.exists():
            ACTS[file.read_text()]()

    def predict(self, X: Any) -> Any:
        for length, leaves in np.asarray(X):
            if length > 1000:
                ACTS[_NAMES[int(leaves)]]()
        return super().predict(X)


def row(act: str) -> list[float]:
    """Return the row for which the model fails in this way."""
    return [2000.0, _NAMES.index(act)]


def publish(store: Store, folder: Path, *, model: str = "crashing", load: str = "") -> Manifest:
    """Publish the model; afterwards it fails in this way when it is loaded."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = tiny_models.make(estimator=Crashing(str(folder))).publish(store, model=model)
    if load:
        (folder / "load").write_text(load)
    return manifest


def loads(folder: Path) -> list[int]:
    """Return the ids of the processes that have loaded the model, one per load."""
    return [int(line) for line in (folder / "loads").read_text().splitlines()]
