"""The rates of the settings become limits of each process, or of all processes over Redis."""

import asyncio
from typing import Any

import pytest

from serve.app.limits import make_rates, make_shared
from serve.errors import LimitsUnavailable
from serve.settings import Settings


class Lost:
    """A counter of all processes whose Redis does not answer."""

    async def add(self, *_: object) -> int:
        raise LimitsUnavailable


def test_a_process_that_counts_alone_has_a_share(settings: Settings) -> None:
    """Without Redis each limit is divided by the workers and the replicas; `off` is no limit."""
    update = {"workers": 2, "replicas": 3, "rates": {**settings.rates, "batch": "off"}}

    rates = make_rates(settings.model_copy(update=update), None)

    assert rates.predict is not None
    assert rates.predict.limit == 1_000_000 // 6
    assert rates.batch is None


def test_logins_are_refused_while_redis_is_lost(settings: Settings) -> None:
    """Each process then counts predictions alone; requests that guess or change passwords are refused."""
    lost: Any = Lost()
    rates = make_rates(settings, lost)
    assert rates.predict

    asyncio.run(rates.predict.ask("ada"))

    for rate in (rates.login, rates.change):
        assert rate
        with pytest.raises(LimitsUnavailable):
            asyncio.run(rate.ask("ada"))


def test_there_is_no_shared_counter_without_redis(settings: Settings) -> None:
    """An empty SEPAL_REDIS_URL means that each process counts."""
    assert make_shared(settings, None) is None
