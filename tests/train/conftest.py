"""What the tests of training share: fresh processes that do not stop to be measured."""

import functools
from collections.abc import Iterator
from importlib.metadata import packages_distributions

import pytest

from tests.server import unmeasured


@pytest.fixture(autouse=True)
def fresh_processes_are_unmeasured() -> Iterator[None]:
    """Each publication loads the model in a process that has no code of ours."""
    with unmeasured():
        yield


@pytest.fixture(scope="session", autouse=True)
def installed() -> Iterator[None]:
    """Each publication reads what is installed, which takes coverage half a second; here nothing changes meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("train.isolation.packages_distributions", functools.cache(packages_distributions))
        yield
