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
from serve import registry
from serve.access_log import AccessLog
from serve.api.deps import Parts
from serve.app.limits import make_limits
from serve.app.security import Security, key_sources
from serve.registry import Served
from serve.security.renewal import followed
from serve.settings import Settings
from serve.telemetry import Metrics, forget_process

if TYPE_CHECKING:
    from serve.limits.shared import Shared

# New objects after which garbage is looked for.
_COLLECT_AFTER = 10_000

_log = structlog.get_logger("serve.app")
_audit = structlog.get_logger("serve.audit")


@asynccontextmanager
async def lifespan(
    _app: FastAPI,
    *,
    settings: Settings,
    parts: Parts,
    engine: Engine,
    access_log: AccessLog | None,
    shared: "Shared | None",
    security: Security,
) -> AsyncIterator[None]:
    """Load the models, serve, and leave nothing behind."""
    # Before anybody is served: what was revoked before a restart does not count for a moment after it.
    await security.watch.look()
    served = await parts.compute(registry.load, Store.of(settings), make_limits(settings))
    for model in served:
        _tell(model, parts.metrics)
    if not served:
        _log.warning("the store is empty", advice="make train")
    parts.registry.replace(served)
    if shared:
        await shared.open()
    elif settings.workers * settings.replicas > 1:
        _log.info("each process counts requests by itself", share=f"1/{settings.workers * settings.replicas}")
    # What is in memory now stays: looked through again and again for garbage, it would hold requests up for 50 ms.
    gc.collect()
    gc.freeze()
    # Sixty requests at once are some thousand objects, none of them garbage: the usual 700 would be looked through
    # several times in every turn of the loop.
    gc.set_threshold(_COLLECT_AFTER)
    watching = asyncio.create_task(security.watch.run())
    try:
        async with followed(key_sources(settings, security, parts.metrics)):
            yield
    finally:
        watching.cancel()
        parts.threads.close()
        if shared:
            await shared.close()
        if access_log:
            access_log.close()
        parts.metrics.settle()
        forget_process()
        engine.dispose()


def _tell(model: Served, metrics: Metrics) -> None:
    whole = [(None, model.reason)] if model.reason else []
    for version, failure in [*whole, *model.failures.items()]:
        metrics.load_failures.labels(model.name).inc()
        _log.error("model not loaded", model=model.name, version=version, code=failure.code, reason=failure.detail)
        _audit.warning("artifact refused", model=model.name, version=version, code=failure.code)
    for version, loaded in model.versions.items():
        bundle = loaded.bundle
        _log.info("model loaded", model=model.name, version=version, key=bundle.key)
        if bundle.grave:
            metrics.version_mismatches.labels(model.name).inc()
        for difference in (*bundle.grave, *bundle.slight):
            _log.warning("other libraries", model=model.name, version=version, detail=difference)
