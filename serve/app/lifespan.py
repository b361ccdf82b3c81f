"""What happens before the first request and after the last one."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog
from fastapi import FastAPI

from artifacts import Store
from artifacts.trial import Trials
from serve.api.deps import Services
from serve.app.loading import Loader
from serve.app.periodic import repeated
from serve.app.security import Security, key_renewals
from serve.dialects.native.limits import Limits
from serve.settings import Settings
from serve.telemetry.access_log import AccessLog
from serve.telemetry.metrics import forget_process

if TYPE_CHECKING:
    from serve.limits.redis_counter import RedisCounter

# New objects after which garbage is collected. Sixty requests at once create some thousand objects, none of them
# garbage: the usual 700 would have them looked through several times in every turn of the event loop.
_COLLECT_AFTER = 10_000

_log = structlog.get_logger("serve.app")


@asynccontextmanager
async def lifespan(
    _app: FastAPI,
    *,
    settings: Settings,
    services: Services,
    security: Security,
    access_log: AccessLog | None,
    shared: "RedisCounter | None",
    trials: Trials | None,
    issuer_s: float,
) -> AsyncIterator[None]:
    """Load the models, serve, then stop and close everything."""
    # Before the first request: a token that was revoked before a restart must never be accepted.
    await security.revocation_poller.poll()
    loading = await _load_models(settings, services, trials)
    if shared:
        await shared.open()
    elif settings.workers * settings.replicas > 1:
        _log.info("each process counts requests by itself", share=f"1/{settings.workers * settings.replicas}")
    _freeze()
    gc.set_threshold(_COLLECT_AFTER)
    try:
        renewals = [renewal.renew for renewal in key_renewals(settings, security, services.metrics, issuer_s=issuer_s)]
        async with repeated(security.revocation_poller.poll, *renewals):
            yield
    finally:
        loading.cancel()
        services.threads.close()
        services.observers.close()
        if shared:
            await shared.close()
        if access_log:
            access_log.close()
        services.metrics.settle()
        forget_process()
        security.records.engine.dispose()


async def _load_models(settings: Settings, services: Services, trials: Trials | None) -> "asyncio.Task[None]":
    """Load the models, and return the task that goes on with those that take long or could not be read."""
    loader = Loader(
        Store.of(settings, trials=trials),
        services.registry,
        Limits(max_rows=settings.max_rows, show_values=settings.exposes("values")),
        services.metrics,
        fallback=settings.fallback,
        trials=trials,
    )
    loading = asyncio.create_task(loader.run())
    await loader.settled()
    if loading.done():
        loading.result()
    else:
        loading.add_done_callback(lambda _: _freeze())
    return loading


def _freeze() -> None:
    """Exclude all objects so far from garbage collection: to look through them again would stop requests for 50 ms."""
    gc.collect()
    gc.freeze()
