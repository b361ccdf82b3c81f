"""What the tests of training share: fresh processes that do not stop to be measured."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.csv_files import Write, writer
from tests.support.server import unmeasured


@pytest.fixture(autouse=True)
def fresh_processes_are_unmeasured() -> Iterator[None]:
    """Each publication loads the model in a process that has no code of ours."""
    with unmeasured():
        yield


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes rows.csv and returns its path."""
    return writer(tmp_path / "rows.csv")
