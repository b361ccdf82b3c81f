"""One app for all micro benchmarks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from artifacts import Store
from benchmarks.in_process import App, publish_models


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with iris and penguins."""
    published = Store(tmp_path_factory.mktemp("store"))
    publish_models(published)
    return published


@pytest.fixture(scope="session")
def app(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The running app with both models loaded."""
    folder: Path = tmp_path_factory.mktemp("state")
    with App(folder, store) as running:
        yield running
