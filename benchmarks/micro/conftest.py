"""One app for all of these measurements."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from artifacts import Store
from benchmarks.in_process import App, publish_models


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Iris and the penguins, published."""
    made = Store(tmp_path_factory.mktemp("store"))
    publish_models(made)
    return made


@pytest.fixture(scope="session")
def app(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app with both models in memory."""
    folder: Path = tmp_path_factory.mktemp("state")
    with App(folder, store) as running:
        yield running
