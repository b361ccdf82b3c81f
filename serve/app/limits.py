"""The rates of the settings, and who counts them."""

from typing import TYPE_CHECKING

from limits import parse

from serve.api.rates import Rates
from serve.limits.counters import LocalCounter
from serve.limits.rate import Rate
from serve.settings import Settings

if TYPE_CHECKING:
    from serve.limits.redis_counter import RedisCounter

# These requests guess or change passwords: they are refused while Redis does not answer.
_STRICT = frozenset({"change", "login"})


def make_shared(settings: Settings, wait_s: float | None) -> "RedisCounter | None":
    """Return the counter that all processes share, or None without Redis."""
    url = settings.redis_url.get_secret_value()
    if not url:
        return None
    # Its client takes 200 ms to import.
    from serve.limits.redis_counter import WAIT_S, RedisCounter

    return RedisCounter(url, wait_s=wait_s or WAIT_S)


def make_rates(settings: Settings, shared: "RedisCounter | None") -> Rates:
    """Return the rate of each kind of request; a process that counts alone allows its share of each."""
    local, processes = LocalCounter(), settings.workers * settings.replicas

    def rate(name: str, text: str) -> Rate | None:
        if text == "off":
            return None
        if shared is None:
            return Rate(name, parse(text), local, share=processes)
        fallback = None if name in _STRICT else local
        return Rate(name, parse(text), shared, fallback=fallback, fallback_share=processes)

    return Rates(**{name: rate(name, text) for name, text in settings.rates.items()})
