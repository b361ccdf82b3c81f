"""The database: SQLite by default, PostgreSQL by its URL; brought to the newest schema before anything is read."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.orm import DeclarativeBase

MIGRATIONS = Path(__file__).parent / "migrations"

# The advisory lock under which PostgreSQL is migrated: any number, as long as it is always the same.
_LOCK = 7_305_424


class Base(DeclarativeBase):
    """The tables of the server; their history is in `migrations/`."""


def connect(url: str) -> Engine:
    """An engine for a URL; nothing is connected yet, and SQLite's folder is made."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True, pool_timeout=5, connect_args={"connect_timeout": 5})
    if parsed.database:
        Path(parsed.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = create_engine(parsed)
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def migrate(engine: Engine) -> None:
    """
    Bring the schema to its newest state.

    Processes that start together take turns: PostgreSQL by an advisory lock, SQLite by its write lock;
    all is one transaction, so a process that is killed leaves the former schema.
    """
    if _revision(engine) == newest():
        return
    # Most starts find nothing to do, and alembic alone would be a tenth of their time.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.connect().execution_options(sepal_writes=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def newest() -> str:
    """The newest revision that this code knows: a migration's file begins with its number."""
    return max(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _revision(engine: Engine) -> str | None:
    """The revision that a database is at; None if it has no schema of ours."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return revision


def _on_connect(connection: Any, _record: object) -> None:
    # The driver would begin transactions of its own, too late for DDL; `_on_begin` does it instead.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA busy_timeout = 10000")
    connection.execute("PRAGMA foreign_keys = ON")


def _on_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("sepal_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
