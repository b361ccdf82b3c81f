"""Databases for tests of authentication."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete

from serve.auth.lockout import Failure
from serve.auth.security_store import SecurityStore
from serve.auth.users import User
from serve.storage.database import connect, migrate, writing
from tests.support.login import World


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An empty database."""
    engine = connect(f"sqlite:///{tmp_path / 'sepal.db'}")
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def records(engine: Engine) -> SecurityStore:
    """The tables of that database."""
    return SecurityStore(engine, audit_days=0)


@pytest.fixture
def world(url: str) -> Iterator[World]:
    """A database without users, on SQLite and on PostgreSQL."""
    engine = connect(url)
    migrate(engine)
    with writing(engine) as session:
        for table in (User, Failure):
            session.execute(delete(table))
    yield World(engine)
    engine.dispose()
