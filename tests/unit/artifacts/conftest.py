"""Fixtures of the tests of artifacts: valid versions, and a store."""

from pathlib import Path

import pytest

from artifacts import Store
from tests.support import tiny_models
from tests.support.version_folders import write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A valid version of a classifier."""
    return write(tmp_path / "tiny" / "1", tiny_models.make())


@pytest.fixture
def regressor(tmp_path: Path) -> Path:
    """A valid version of a regressor."""
    return write(tmp_path / "tiny" / "2", tiny_models.make_regressor())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of a store with two versions of one model, the first of them its champion."""
    store = Store(tmp_path)
    tiny_models.make().publish(store)
    tiny_models.make().publish(store, promote=False)
    return tmp_path
