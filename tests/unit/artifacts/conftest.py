"""What the tests of artifacts share: one version that is right."""

from pathlib import Path

import pytest

from tests.support import tiny_models
from tests.support.version_folders import write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A version that is right."""
    return write(tmp_path / "tiny" / "1", tiny_models.make())


@pytest.fixture
def regressor(tmp_path: Path) -> Path:
    """A version that is right and predicts numbers."""
    return write(tmp_path / "tiny" / "2", tiny_models.make_regressor())
