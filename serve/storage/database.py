"""The database, SQLite by default or PostgreSQL: its connections, transactions and migrations."""

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

# The advisory lock under which PostgreSQL is migrated: an arbitrary number that never changes.
_LOCK = 7_305_424

# The timeout of PostgreSQL for our queries, each of which takes milliseconds; after it the database counts as down.
ANSWER_S = 3.0
# Migrations wait for each other and may take long.
MIGRATION_S = 600.0
_AFTER = "after_commit"


class Base(DeclarativeBase):
    """The base of all tables; `migrations/` has their history."""


def connect(url: str, *, answer_s: float = ANSWER_S) -> Engine:
    """Return an engine for a URL, without connecting, and create the folder of an SQLite file."""
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
    # Imported here: SQLite does not need the driver.
    from serve.storage.postgresql import connect_with_timeout

    milliseconds = int(answer_s * 1000)
    engine = create_engine(
        url,
        pool_pre_ping=True,
        pool_timeout=answer_s,
        connect_args={
            "connect_timeout": 3,
            # Enforced by a server that is up: it aborts slow queries, and releases the locks of a stopped process.
            "options": f"-c statement_timeout={milliseconds} -c idle_in_transaction_session_timeout=15000",
        },
    )
    event.listen(engine, "do_connect", partial(connect_with_timeout, answer_s=answer_s))
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """
    Open a read-only transaction. It blocks: use it in a thread.

    Raises:
        DatabaseUnavailable: The database does not answer.
    """
    with _translated(), Session(engine, expire_on_commit=False) as session:
        yield session


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """
    Open a transaction that is committed at its end, or rolled back if an error is raised. It blocks.

    Raises:
        DatabaseUnavailable: The database does not answer.
    """
    writes = engine.execution_options(sepal_writes=True)
    with _translated(), Session(writes, expire_on_commit=False) as session:
        with session.begin():
            yield session
        for call in session.info.pop(_AFTER, []):
            call()


def after_commit(session: Session, call: Callable[[], object]) -> None:
    """Call this in the same thread after a transaction of `writing` is committed; never if it is rolled back."""
    # SQLAlchemy's own events keep one-time listeners longer than the session.
    session.info.setdefault(_AFTER, []).append(call)


def now(session: Session) -> float:
    """Return the time of the database in seconds since the epoch, which is the same for all processes."""
    if session.get_bind().dialect.name == "sqlite":
        return time.time()
    seconds: float = session.scalar(text("SELECT extract(epoch FROM clock_timestamp())::float8")) or 0.0
    return seconds


@contextmanager
def _translated() -> Iterator[None]:
    """Raise one error for a database that does not answer, whatever the driver raises."""
    try:
        yield
    except IntegrityError:
        raise
    except (DatabaseError, InterfaceError, PoolTimeout) as error:
        raise DatabaseUnavailable("the database does not answer") from error


def prepare(url: str) -> None:
    """
    Migrate the database at a URL to the newest schema.

    Raises:
        DatabaseUnavailable: The database does not answer.
    """
    engine = connect(url, answer_s=MIGRATION_S)
    try:
        with _translated():
            migrate(engine)
    finally:
        engine.dispose()


def migrate(engine: Engine) -> None:
    """
    Migrate a database to the newest schema.

    Processes that start together wait for each other, by an advisory lock of PostgreSQL or the write lock of SQLite.
    All is one transaction, so a process that is killed leaves the former schema.

    Raises:
        DatabaseUnavailable: A newer release has migrated the database.
    """
    found, known = _revision(engine), revisions()
    if found == known[-1]:
        return
    if found is not None and found not in known:
        raise DatabaseUnavailable(
            f"the database has schema {shorten(found)}, which is newer than {known[-1]}, the newest of this release; "
            "start the release that migrated it"
        )
    # Imported here: most starts need no migration, and alembic would take a tenth of their time.
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
    """Return the revisions that this code knows, the newest last; the files of migrations begin with them."""
    return sorted(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _revision(engine: Engine) -> str | None:
    """Return the revision of a database, or None if it has no schema of ours."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return revision


def _on_connect(connection: Any, _record: object) -> None:
    # Without its own transactions, which the driver begins too late for DDL; `_on_begin` begins them.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA busy_timeout = 5000")
    connection.execute("PRAGMA foreign_keys = ON")


def _on_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("sepal_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
