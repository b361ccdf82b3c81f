"""A model whose calls block until a test opens its gate."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sklearn.linear_model import LogisticRegression

from artifacts import Store
from tests.support import tiny_models


class Gated(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
    """Takes two milliseconds, and waits while its gate, a file, exists; records the rows of each call."""

    def __init__(self, folder: str = "", C: float = 1.0) -> None:
        super().__init__(C=C)
        self.folder = folder

    def predict(self, X: Any) -> Any:
        folder = Path(self.folder)
        with (folder / "calls").open("a") as calls:
            print(len(X), file=calls)
        time.sleep(0.002)
        while (folder / "gate").exists():
            time.sleep(0.005)
        return super().predict(X)


class Gate:
    """Opens and closes the gate of the model."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = 0

    def publish(self, store: Store) -> None:
        """Publish the model as `gated`."""
        tiny_models.make(estimator=Gated(str(self._folder))).publish(store, model="gated")

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Hold all calls that begin from now on."""
        self._seen = len(self._lines)
        (self._folder / "gate").touch()
        try:
            yield
        finally:
            (self._folder / "gate").unlink()

    @property
    def calls(self) -> list[int]:
        """The number of rows of each call since the gate was closed."""
        return [int(line) for line in self._lines[self._seen :]]

    @property
    def _lines(self) -> list[str]:
        calls = self._folder / "calls"
        return calls.read_text().splitlines() if calls.exists() else []
