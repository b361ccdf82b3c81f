"""Polling for revocations: what other processes revoke becomes invalid here, whatever fails in between."""

import asyncio
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from serve.auth.callers import Callers
from serve.auth.revocation_poller import PRUNE_S, RevocationPoller
from serve.auth.revocations import Revocations
from serve.auth.security_store import SecurityStore
from serve.errors import DatabaseUnavailable, Unauthenticated
from serve.storage.database import writing
from serve.telemetry.metrics import Metrics
from tests.unit.serve.auth.test_tokens import NOW, tokens

LATER = 4_000_000_000.0


class Process:
    """A server process that polls over a database."""

    def __init__(self, records: SecurityStore) -> None:
        self.now, self.pruned = 0.0, 0
        self.revocations = Revocations(records.engine, clock=lambda: NOW)
        self.callers = Callers(tokens(), is_revoked=self.revocations.any_revoked, clock=lambda: NOW)
        self.metrics = Metrics()
        self.poller = RevocationPoller(
            self.revocations, self.callers, self.metrics, poll_s=2, prune=[self.prune], clock=lambda: self.now
        )

    def prune(self) -> None:
        self.pruned += 1

    @property
    def failures(self) -> float:
        """Return the metric of failed polls."""
        return float(self.metrics.revocation_failures._value.get())


@pytest.fixture
def process(records: SecurityStore) -> Process:
    """A process that has not polled yet."""
    return Process(records)


def test_a_remembered_token_becomes_invalid(process: Process, records: SecurityStore) -> None:
    """A token that this process has verified before is refused after another process has revoked its session."""
    token = tokens().issue("ada", [], session="s1").token

    async def run() -> None:
        assert await process.poller.poll() == 2
        assert (await process.callers.verify(token)).name == "ada"
        with writing(records.engine) as session:
            records.revocations.revoke(session, {"s1": LATER})
        await process.poller.poll()
        await process.callers.verify(token)

    with pytest.raises(Unauthenticated):
        asyncio.run(run())


@pytest.mark.parametrize("error", [DatabaseUnavailable("down"), ZeroDivisionError()], ids=repr)
def test_polling_continues_after_a_failure(process: Process, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """A failure is counted and logged, and the next poll reads everything again."""
    read: Callable[[], dict[str, float]] = process.revocations.read

    def fail() -> dict[str, float]:
        raise error

    async def run() -> None:
        monkeypatch.setattr(process.revocations, "read", fail)
        await process.poller.poll()
        await process.poller.poll()
        monkeypatch.setattr(process.revocations, "read", read)
        await process.poller.poll()

    with capture_logs() as lines:
        asyncio.run(run())
    assert process.failures == 2
    assert not process.revocations.any_revoked(["s1"])
    assert lines[0]["event"] == "revocations are not read"


def test_expired_rows_are_deleted_now_and_then(process: Process) -> None:
    """The first poll deletes expired rows, and then one in every interval."""

    async def run() -> list[int]:
        counts = []
        for process.now in (0, 1, PRUNE_S - 1, PRUNE_S, PRUNE_S + 1):
            await process.poller.poll()
            counts.append(process.pruned)
        return counts

    assert asyncio.run(run()) == [1, 1, 1, 2, 2]
