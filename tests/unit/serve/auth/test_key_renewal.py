"""Renewal of keys: replaced as a whole, kept after a failure, logged once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from structlog.testing import capture_logs

from serve.auth.key_renewal import RETRY_S, KeyRenewal


class Keys:
    """Keys whose source a test sets."""

    def __init__(self) -> None:
        self.source: list[str] | Exception = ["a"]
        self.current: list[str] = []
        self.forgotten: list[str] = []
        self.failures: list[str] = []

    async def read(self) -> list[str]:
        if isinstance(self.source, Exception):
            raise self.source
        return self.source

    def replace(self, keys: list[str]) -> frozenset[str]:
        removed = frozenset(self.current) - frozenset(keys)
        self.current = keys
        return removed

    def forget(self, ids: Iterable[str]) -> None:
        self.forgotten += ids


def renewal(keys: Keys, *, interval_s: float = 60) -> Callable[[], Awaitable[float]]:
    """Return a renewal of these keys."""
    return KeyRenewal(
        name="file",
        read=keys.read,
        replace=keys.replace,
        forget=keys.forget,
        failed=keys.failures.append,
        interval_s=interval_s,
    ).renew


def test_removed_keys_are_forgotten() -> None:
    """New keys replace the former ones, and tokens of the removed ones are forgotten at once."""
    keys = Keys()
    renew = renewal(keys)

    async def run() -> list[float]:
        pauses = [await renew()]
        keys.source = ["b"]
        return [*pauses, await renew()]

    with capture_logs() as lines:
        assert asyncio.run(run()) == [60, 60]
    assert (keys.current, keys.forgotten, keys.failures) == (["b"], ["a"], [])
    assert [line["event"] for line in lines] == ["keys renewed"]


def test_a_failure_keeps_the_former_keys_and_is_logged_once() -> None:
    """Equal failures are counted each, logged once, and retried sooner; the recovery is logged too."""
    keys = Keys()
    renew = renewal(keys)

    async def run() -> list[float]:
        pauses = [await renew()]
        keys.source = OSError("down")
        pauses += [await renew(), await renew()]
        keys.source = ["a"]
        return [*pauses, await renew()]

    with capture_logs() as lines:
        assert asyncio.run(run()) == [60, RETRY_S, RETRY_S, 60]
    assert (keys.current, keys.failures) == (["a"], ["file", "file"])
    assert [line["event"] for line in lines] == ["keys not renewed, the former keys stay", "keys renewed"]


def test_a_short_interval_is_not_extended_by_a_failure() -> None:
    """A source that is read more often than the retry interval is also retried that often."""
    keys = Keys()
    keys.source = ValueError("broken")

    assert asyncio.run(_first(renewal(keys, interval_s=2))) == 2


async def _first(renew: Callable[[], Awaitable[float]]) -> float:
    return await renew()
