"""What tests of limits share."""

from collections.abc import Iterator

import pytest

from tests import redis_server
from tests.redis_server import Redis


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    """A Redis of this file's."""
    with redis_server.running() as running:
        yield running
