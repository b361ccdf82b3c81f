"""From the first look at the store to the last line of the log: what happens before and after anybody is served."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog
from fastapi import FastAPI
from sqlalchemy import Engine

from artifacts import Store
from artifacts.trial import Trials
from serve.api.deps import Services
from serve.app.limits import make_limits
from serve.app.loading import Loader
from serve.app.security import Security, key_renewals
from serve.periodic import repeated
from serve.settings import Settings
from serve.telemetry.access_log import AccessLog
from serve.telemetry.metrics import forget_process

if TYPE_CHECKING:
    from serve.limits.redis_counter import RedisCounter

# New objects after which garbage is looked for.
_COLLECT_AFTER = 10_000

_log = structlog.get_logger("serve.app")


@asynccontextmanager
async def lifespan(
    _app: FastAPI,
    *,
    settings: Settings,
    services: Services,
    engine: Engine,
    access_log: AccessLog | None,
    shared: "RedisCounter | None",
    security: Security,
    trials: Trials | None,
) -> AsyncIterator[None]:
    """Load the models, serve, and leave nothing behind."""
    # Before anybody is served: what was revoked before a restart does not count for a moment after it.
    await security.revocation_poller.poll()
    store = Store.of(settings, trials=trials)
    limits, fallback = make_limits(settings), settings.fallback
    loader = Loader(store, services.registry, limits, services.metrics, fallback=fallback, trials=trials)
    loading = asyncio.create_task(loader.run())
    await loader.settled()
    if loading.done():
        loading.result()
    else:
        loading.add_done_callback(lambda _: _keep())
    if shared:
        await shared.open()
    elif settings.workers * settings.replicas > 1:
        _log.info("each process counts requests by itself", share=f"1/{settings.workers * settings.replicas}")
    _keep()
    # Sixty requests at once are some thousand objects, none of them garbage: the usual 700 would be looked through
    # several times in every turn of the loop.
    gc.set_threshold(_COLLECT_AFTER)
    try:
        renewals = [renewal.renew for renewal in key_renewals(settings, security, services.metrics)]
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
        engine.dispose()


def _keep() -> None:
    """What is in memory now stays: looked through again and again for garbage, it would hold requests up for 50 ms."""
    gc.collect()
    gc.freeze()
