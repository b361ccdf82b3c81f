"""Those who wait to be recognised, and what is known before anything was read."""

import asyncio
import threading

import pytest
from sqlalchemy import create_engine

from serve.auth.callers import Callers
from serve.auth.revocations import Revocations
from serve.auth.thread_limiter import ThreadLimiter
from serve.errors import Busy, DatabaseUnavailable
from tests.unit.serve.auth.test_tokens import GOOD, NOW, signed, tokens


def test_nobody_waits_for_ever() -> None:
    """Where every thread is taken, whoever waits too long is told so; what runs is waited for, and answers."""
    release = threading.Event()

    async def ask() -> list[object]:
        desk = ThreadLimiter(1, wait_s=0.05)
        first = asyncio.create_task(desk.run(release.wait, 10))
        await asyncio.sleep(0)
        second = asyncio.create_task(desk.run(int))
        [late] = await asyncio.gather(second, return_exceptions=True)
        release.set()
        return [late, await first]

    late, first = asyncio.run(ask())

    assert isinstance(late, Busy)
    assert first is True


def test_nobody_is_recognised_before_it_is_known_who_is_revoked() -> None:
    """Until the table was read, a token is neither good nor bad; then it is what the table says."""
    engine = create_engine("sqlite://")
    revocations = Revocations(engine, clock=lambda: NOW)
    ours = Callers(tokens(), is_revoked=revocations.any_revoked, clock=lambda: NOW)
    token = signed(GOOD)

    with pytest.raises(DatabaseUnavailable):
        asyncio.run(ours.verify(token))
    revocations.start()
    assert asyncio.run(ours.verify(token)).name == "ada"
    engine.dispose()
