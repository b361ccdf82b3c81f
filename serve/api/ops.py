"""What operators and their machines ask: health and metrics."""

import time
from collections.abc import Sequence
from typing import Literal

import structlog
from anyio import Lock, to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from artifacts import CHAMPION, ArtifactError
from serve.api.deps import MetricsReader, Services, ServicesDep
from serve.errors import DeadlineExceeded
from serve.inference.registry import Registry, Served
from serve.inference.threads import ModelThreads
from serve.telemetry.metrics import CONTENT_TYPE

# How long a scrape waits for what was predicted before it to be counted.
_FLUSH_S = 1.0

router = APIRouter(tags=["operations"])

# How long the canary may take for all models together.
CANARY_S = 30.0
# How old its last prediction may be.
CANARY_INTERVAL_S = 5.0

_log = structlog.get_logger("serve.health")


class Health(BaseModel):
    """Whether this process can do its work, and if not all of it, what is missing."""

    status: Literal["ok", "degraded", "unready"]
    detail: str = ""


_OVERDUE = Health(status="unready", detail="the models do not answer their own examples in time")


def _with_threads(health: Health, threads: ModelThreads) -> Health:
    """The same, and what is known of the threads that models are called in."""
    if threads.is_exhausted:
        return Health(status="unready", detail="half of the threads are lost; the process is being replaced")
    if not threads.overdue:
        return health
    lost = f"{threads.overdue} of {threads.threads} threads are in calls of models that do not return in time"
    status: Literal["degraded", "unready"] = "unready" if health.status == "unready" else "degraded"
    return Health(status=status, detail="; ".join(filter(None, (health.detail, lost))))


class Canary:
    """The last prediction of every model's own examples, repeated when it is too old."""

    def __init__(
        self, services: Services, *, deadline_s: float = CANARY_S, interval_s: float = CANARY_INTERVAL_S
    ) -> None:
        self._services = services
        self._interval_s = interval_s
        self._lock = Lock()
        # A thread of its own: under load, a probe does not wait behind predictions.
        self._thread = ModelThreads(1, deadline_s=deadline_s)
        self._checked_at = float("-inf")
        self._generation = -1
        self._health = Health(status="unready", detail="nothing was predicted yet")

    async def health(self) -> Health:
        """
        Return what the last canary found, at most `interval_s` ago and of the models that are in memory now.

        How many threads are lost is as of now.
        """
        generation = self._services.registry.generation
        async with self._lock:
            is_old = time.monotonic() - self._checked_at > self._interval_s
            if is_old or generation != self._generation:
                self._health = await self._check()
                self._checked_at, self._generation = time.monotonic(), generation
        return _with_threads(self._health, self._services.threads)

    async def _check(self) -> Health:
        if unready := _unready(self._services.registry):
            return Health(status="unready", detail=unready)
        if self._thread.overdue:
            return _OVERDUE
        try:
            await self._thread.run("canary", self._services.inference.canary)
        except DeadlineExceeded:
            return _OVERDUE
        except ArtifactError as error:
            # Without the exception of the model, whose text may quote values.
            _log.error("canary failed", reason=str(error))
            return Health(status="unready", detail="a model no longer answers its own examples")
        served = self._services.registry.all()
        if any(model.failures or model.reason for model in served):
            return Health(status="degraded", detail=_missing(served))
        return Health(status="ok")


def _unready(registry: Registry) -> str:
    """Return why no model can be called; empty if one can."""
    if registry.is_away:
        return "the model store cannot be read"
    if registry.is_loading:
        return "a model is still being loaded"
    return "" if any(model.versions for model in registry.all()) else "no model is loaded"


def _missing(served: Sequence[Served]) -> str:
    """What is degraded, without the name of a model: a probe carries no token."""
    instead = [
        f"version {model.aliases[CHAMPION]} is served in place of the champion, version {model.failed_champion}, "
        f"which could not be loaded ({model.failures[model.failed_champion].code})"
        for model in served
        if model.failed_champion is not None
    ]
    return "; ".join(instead) or "a version could not be loaded"


@router.api_route("/health", methods=["GET", "HEAD"], include_in_schema=False)
@router.head("/health/ready", include_in_schema=False)
@router.get("/health/ready", responses={503: {"model": Health, "description": "It cannot do its work."}})
async def ready(request: Request, response: Response) -> Health:
    """Whether requests should be sent here: every model answered its own examples lately."""
    canary: Canary = request.app.state.canary
    health = await canary.health()
    if health.status == "unready":
        response.status_code = 503
    return health


@router.head("/health/live", include_in_schema=False)
@router.get("/health/live")
async def live() -> Health:
    """Whether the event loop turns."""
    return Health(status="ok")


@router.get("/metrics", response_class=PlainTextResponse)
async def show_metrics(caller: MetricsReader, services: ServicesDep) -> Response:
    """The Prometheus metrics of all workers."""
    services.metrics.settle()
    return Response(await to_thread.run_sync(_rendered, services), media_type=CONTENT_TYPE)


def _rendered(services: Services) -> bytes:
    services.observers.flush(timeout_s=_FLUSH_S)
    return services.metrics.render()
