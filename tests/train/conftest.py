"""What the tests of training share: fresh processes that do not stop to be measured."""

import os

import pytest


@pytest.fixture(autouse=True)
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each publication loads the model in a process that has no code of ours, and coverage would double its time."""
    for name in [name for name in os.environ if name.startswith("COVERAGE_PROCESS")]:
        monkeypatch.delenv(name)
