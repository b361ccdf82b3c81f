"""The database: SQLite by default, PostgreSQL by its URL; brought to the newest schema before anything is read."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import DatabaseError, IntegrityError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session

from artifacts.text import shorten
from serve.errors import DatabaseUnavailable

MIGRATIONS = Path(__file__).parent / "migrations"

# The advisory lock under which PostgreSQL is migrated: any number, as long as it is always the same.
_LOCK = 7_305_424

# How long PostgreSQL may take to answer a query of ours, each a matter of milliseconds; longer, it counts as gone.
ANSWER_S = 3.0
# Migrations wait for each other, and may have much to do.
MIGRATION_S = 600.0
_AFTER = "after_commit"


class Base(DeclarativeBase):
    """The tables of the server; their history is in `migrations/`."""


def connect(url: str, *, answer_s: float = ANSWER_S) -> Engine:
    """An engine for a URL; nothing is connected yet, and SQLite's folder is made."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return _connect_postgresql(parsed, answer_s)
    if parsed.database:
        Path(parsed.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = create_engine(parsed)
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def _connect_postgresql(url: URL, answer_s: float) -> Engine:
    # Imported here: with SQLite nobody needs the driver.
    from serve.storage.postgresql import connect_patiently

    milliseconds = int(answer_s * 1000)
    engine = create_engine(
        url,
        pool_pre_ping=True,
        pool_timeout=answer_s,
        connect_args={
            "connect_timeout": 3,
            # What a server that lives does by itself: give up, and let go of the locks of a process that was stopped.
            "options": f"-c statement_timeout={milliseconds} -c idle_in_transaction_session_timeout=15000",
        },
    )
    event.listen(engine, "do_connect", partial(connect_patiently, answer_s=answer_s))
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """
    A transaction that only reads. It blocks: use it in a thread.

    Raises:
        DatabaseUnavailable: The database does not answer.
    """
    with _named(), Session(engine, expire_on_commit=False) as session:
        yield session


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """
    A transaction that is committed at its end, or not at all where something is raised. It blocks.

    Raises:
        DatabaseUnavailable: The database does not answer.
    """
    writes = engine.execution_options(sepal_writes=True)
    with _named(), Session(writes, expire_on_commit=False) as session:
        with session.begin():
            yield session
        for call in session.info.pop(_AFTER, []):
            call()


def after_commit(session: Session, call: Callable[[], object]) -> None:
    """Call this once a transaction of `writing` is committed, in the same thread; never if it is not."""
    # SQLAlchemy's own events keep what listens once for longer than a session lives.
    session.info.setdefault(_AFTER, []).append(call)


def now(session: Session) -> float:
    """What time it is for the database: seconds since the epoch, the same for every process that asks it."""
    if session.get_bind().dialect.name == "sqlite":
        return time.time()
    told: float = session.scalar(text("SELECT extract(epoch FROM clock_timestamp())::float8")) or 0.0
    return told


@contextmanager
def _named() -> Iterator[None]:
    """Whatever the driver calls it, a database that does not answer is one error of ours."""
    try:
        yield
    except IntegrityError:
        raise
    except (DatabaseError, InterfaceError, PoolTimeout) as error:
        raise DatabaseUnavailable("the database does not answer") from error


def prepare(url: str) -> None:
    """
    Bring the schema of the database at a URL to its newest state.

    Raises:
        DatabaseUnavailable: The database does not answer.
    """
    engine = connect(url, answer_s=MIGRATION_S)
    try:
        with _named():
            migrate(engine)
    finally:
        engine.dispose()


def migrate(engine: Engine) -> None:
    """
    Bring the schema to its newest state.

    Processes that start together take turns: PostgreSQL by an advisory lock, SQLite by its write lock;
    all is one transaction, so a process that is killed leaves the former schema.

    Raises:
        DatabaseUnavailable: A newer release has migrated it.
    """
    found, known = _revision(engine), revisions()
    if found == known[-1]:
        return
    if found is not None and found not in known:
        raise DatabaseUnavailable(
            f"the database has schema {shorten(found)}, and this code knows none newer than {known[-1]}; "
            "start the release that migrated it"
        )
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


def revisions() -> list[str]:
    """The revisions that this code knows, the newest last: a migration's file begins with its number."""
    return sorted(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


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
    connection.execute("PRAGMA busy_timeout = 5000")
    connection.execute("PRAGMA foreign_keys = ON")


def _on_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("sepal_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
