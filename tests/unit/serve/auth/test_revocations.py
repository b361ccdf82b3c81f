"""Revocations: read by every process, whatever clocks and transactions do."""

import asyncio
from contextlib import suppress

import pytest
from sqlalchemy import create_engine

from serve.auth.callers import Callers
from serve.auth.revocations import Revocations
from serve.auth.security_store import SecurityStore
from serve.errors import DatabaseUnavailable
from serve.storage import database
from serve.storage.database import writing
from tests.support.login import World
from tests.unit.serve.auth.test_tokens import GOOD, NOW, signed, tokens


def test_a_revocation_that_commits_late_is_read(world: World) -> None:
    """A revocation that began before a poll and is committed after it is read by the next poll."""
    if world.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    theirs, ours = world.records.revocations, Revocations(world.engine)
    far = 4_000_000_000.0
    with writing(world.engine) as early:
        theirs.revoke(early, {"early": far})
        with writing(world.engine) as late:
            theirs.revoke(late, {"late": far})
        first = ours.learn(ours.read())
    second = ours.learn(ours.read())

    assert "late" in first
    assert "early" not in first
    assert second == {"early"}
    assert ours.learn(ours.read()) == frozenset()


def test_a_revocation_is_read_after_the_clock_was_set_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A revocation whose time is before the last poll, because the clock was set back, is read."""
    theirs, ours, times = world.records.revocations, Revocations(world.engine), [world.now + 3600]
    monkeypatch.setattr(database, "now", lambda _session: times[-1])
    ours.learn(ours.read())
    times.append(world.now)
    with writing(world.engine) as session:
        theirs.revoke(session, {"behind": 4_000_000_000.0})

    assert ours.learn(ours.read()) == {"behind"}


def test_no_token_is_verified_before_revocations_are_read() -> None:
    """Until the table is read, verification fails with an error of the database; then tokens are valid."""
    engine = create_engine("sqlite://")
    revocations = Revocations(engine, clock=lambda: NOW)
    ours = Callers(tokens(), is_revoked=revocations.any_revoked, clock=lambda: NOW)
    token = signed(GOOD)

    with pytest.raises(DatabaseUnavailable):
        asyncio.run(ours.verify(token))
    revocations.start()
    assert asyncio.run(ours.verify(token)).name == "ada"
    engine.dispose()


def test_many_revocations_are_stored_and_pruned(records: SecurityStore) -> None:
    """More ids than one statement can hold are stored at once, and deleted after they expire."""
    revoked = {f"id{number}": 1.0 for number in range(1201)}
    with writing(records.engine) as session:
        records.revocations.revoke(session, revoked)
        records.revocations.revoke(session, {"id0": 1.0, "later": 4_000_000_000.0})
        records.revocations.revoke(session, {})

    records.revocations.prune()

    assert records.revocations.read().keys() == {"later"}


def test_a_transaction_announces_its_revocations_once_it_is_committed(records: SecurityStore) -> None:
    """The process that revokes knows at once; a transaction that is rolled back announces nothing."""
    announced: list[str] = []
    revocations = Revocations(records.engine, announce=announced.extend)

    with writing(records.engine) as session:
        revocations.revoke(session, {"a": NOW})
        assert announced == []
    with suppress(ZeroDivisionError), writing(records.engine) as session:
        revocations.revoke(session, {"b": NOW})
        raise ZeroDivisionError

    assert announced == ["a"]
