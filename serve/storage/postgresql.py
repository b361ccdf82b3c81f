"""The driver of PostgreSQL with a timeout: a stopped server keeps its connections open and never answers."""

import time
from typing import Any

import psycopg
from psycopg.abc import RV, PQGen


class TimeoutConnection(psycopg.Connection[Any]):
    """A connection that is closed when an answer takes too long, since a pending query cannot be taken back."""

    answer_s = 3.0

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        timeout_s = self.answer_s if timeout is None else timeout
        deadline = time.monotonic() + timeout_s
        try:
            return super().wait(gen, interval, timeout_s)
        except psycopg.OperationalError:
            if time.monotonic() >= deadline:
                self.close()
            raise


def connect_with_timeout(
    _dialect: object, _record: object, arguments: list[Any], options: dict[str, Any], *, answer_s: float
) -> TimeoutConnection:
    """Open a connection for SQLAlchemy."""
    connection = TimeoutConnection.connect(*arguments, **options)
    connection.answer_s = answer_s
    return connection
