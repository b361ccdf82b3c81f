"""What the tests of training share: fresh processes that do not stop to be measured."""

from collections.abc import Iterator

import pytest

from tests.support.server import unmeasured


@pytest.fixture(autouse=True)
def fresh_processes_are_unmeasured() -> Iterator[None]:
    """Each publication loads the model in a process that has no code of ours."""
    with unmeasured():
        yield
