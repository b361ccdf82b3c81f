"""What the tests of artifacts share: one version that is right."""

from pathlib import Path

import pytest

from tests import tiny
from tests.artifacts.folders import write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A version that is right."""
    return write(tmp_path / "tiny" / "1", tiny.make())


@pytest.fixture
def regressor(tmp_path: Path) -> Path:
    """A version that is right and predicts numbers."""
    return write(tmp_path / "tiny" / "2", tiny.make_regressor())
