"""PostgreSQL's driver, taught not to wait for ever: a server that is stopped keeps its connections, and is silent."""

import time
from typing import Any

import psycopg
from psycopg.abc import RV, PQGen


class Patient(psycopg.Connection[Any]):
    """A connection that is closed when an answer takes too long: what was asked cannot be taken back."""

    answer_s = 3.0

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        patience_s = self.answer_s if timeout is None else timeout
        deadline = time.monotonic() + patience_s
        try:
            return super().wait(gen, interval, patience_s)
        except psycopg.OperationalError:
            if time.monotonic() >= deadline:
                self.close()
            raise


def connect_patiently(
    _dialect: object, _record: object, arguments: list[Any], options: dict[str, Any], *, answer_s: float
) -> Patient:
    """What SQLAlchemy calls for a new connection."""
    connection = Patient.connect(*arguments, **options)
    connection.answer_s = answer_s
    return connection
