"""How much may be asked: rates, rows, sizes and queues, from the settings to plain values."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from limits import parse

from serve.api.rates import Rates
from serve.dialects.csv.options import CsvOptions
from serve.dialects.native.limits import Limits
from serve.inference.batching import Batcher
from serve.inference.threads import ModelThreads
from serve.limits.counters import LocalCounter
from serve.limits.rate import Rate
from serve.settings import Settings

if TYPE_CHECKING:
    from serve.limits.redis_counter import RedisCounter


def make_shared(settings: Settings) -> "RedisCounter | None":
    """The counts that all processes share, where there is a Redis."""
    url = settings.redis_url.get_secret_value()
    if not url:
        return None
    # Its client takes 200 ms to import.
    from serve.limits.redis_counter import RedisCounter

    return RedisCounter(url, wait_s=settings.redis_wait_ms / 1000)


def make_rates(settings: Settings, shared: "RedisCounter | None") -> Rates:
    """Every limit on callers; a process that counts alone has a share of each."""
    here, apart = LocalCounter(), settings.workers * settings.replicas

    def rate(name: str, text: str, *, is_strict: bool = False) -> Rate | None:
        if text == "off":
            return None
        if shared is None:
            return Rate(name, parse(text), here, share=apart)
        return Rate(name, parse(text), shared, fallback=None if is_strict else here, fallback_share=apart)

    return Rates(
        predict=rate("predict", settings.rate_predict),
        batch=rate("batch", settings.rate_batch),
        read=rate("read", settings.rate_read),
        change=rate("change", settings.rate_change, is_strict=True),
        login=rate("login", settings.rate_login, is_strict=True),
        rows=rate("rows", settings.rate_rows),
    )


def make_limits(settings: Settings) -> Limits:
    """What a body of JSON may have."""
    return Limits(
        max_depth=settings.max_depth,
        max_rows=settings.max_rows,
        max_columns=settings.max_columns,
        max_digits=settings.max_digits,
        max_errors=settings.max_errors,
        ignore_unknown=settings.unknown_names == "ignore",
        show_values=settings.shows_values,
    )


def make_batcher(settings: Settings, threads: ModelThreads) -> Callable[..., Batcher[Any, Any]]:
    """What makes the queue of a version."""
    return partial(
        Batcher,
        threads=threads,
        call_rows=settings.call_rows,
        queue_rows=settings.queue_rows,
        deadline_s=settings.deadline_s,
    )


def make_csv_options(settings: Settings) -> CsvOptions:
    """What a CSV may have, and how it is read and written."""
    return CsvOptions(
        max_columns=settings.max_csv_columns,
        max_cell_bytes=settings.max_cell_bytes,
        max_digits=settings.max_digits,
        nulls=frozenset(settings.csv_nulls),
        escape_all=settings.csv_escape == "all",
    )
