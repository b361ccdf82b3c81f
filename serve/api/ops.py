"""Health and metrics, for operators and their tools."""

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
from serve.inference.registry import Registry, ServedModel
from serve.inference.threads import ModelThreads
from serve.telemetry.metrics import CONTENT_TYPE

# How long a scrape waits until all earlier predictions are counted.
_FLUSH_S = 1.0

router = APIRouter(tags=["operations"])

# The maximum time of the canary for all models together.
CANARY_S = 30.0
# How old its last prediction may be.
CANARY_INTERVAL_S = 5.0

_log = structlog.get_logger("serve.health")


class Health(BaseModel):
    """Whether this process can serve predictions, and what is missing if it cannot serve all of them."""

    status: Literal["ok", "degraded", "unready"]
    detail: str = ""


_OVERDUE = Health(status="unready", detail="the models do not predict their own examples in time")


def _with_threads(health: Health, threads: ModelThreads) -> Health:
    """Add the state of the threads in which models are called."""
    if threads.is_exhausted:
        return Health(status="unready", detail="half of the threads are lost; the process is being replaced")
    if not threads.overdue:
        return health
    overdue = f"{threads.overdue} of {threads.threads} threads are in calls of models that do not return in time"
    status: Literal["degraded", "unready"] = "unready" if health.status == "unready" else "degraded"
    return Health(status=status, detail="; ".join(filter(None, (health.detail, overdue))))


class Canary:
    """Predicts the examples of every model, and keeps the result for a while."""

    def __init__(
        self, services: Services, *, deadline_s: float = CANARY_S, interval_s: float = CANARY_INTERVAL_S
    ) -> None:
        self._services = services
        self._interval_s = interval_s
        self._lock = Lock()
        # A separate thread: under load, a probe does not wait for predictions.
        self._thread = ModelThreads(1, deadline_s=deadline_s)
        self._checked_at = float("-inf")
        self._generation = -1
        self._health = Health(status="unready", detail="the models have not predicted their examples yet")

    async def health(self) -> Health:
        """
        Return the result for the models that are loaded now, which is at most `interval_s` old.

        The state of the threads is the present one.
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
            # Without the exception of the model, whose message may quote values.
            _log.error("canary failed", reason=str(error))
            return Health(status="unready", detail="a model no longer predicts its own examples correctly")
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


def _missing(served: Sequence[ServedModel]) -> str:
    """Return what is degraded, without the name of a model, since a probe has no token."""
    instead = [
        f"version {model.aliases[CHAMPION]} is served instead of the champion, version {model.failed_champion}, "
        f"which could not be loaded ({model.failures[model.failed_champion].code})"
        for model in served
        if model.failed_champion is not None
    ]
    return "; ".join(instead) or "a version could not be loaded"


@router.api_route("/health", methods=["GET", "HEAD"], include_in_schema=False)
@router.head("/health/ready", include_in_schema=False)
@router.get("/health/ready", responses={503: {"model": Health, "description": "The process cannot serve predictions."}})
async def ready(request: Request, response: Response) -> Health:
    """Report whether this process can serve predictions: every model has recently predicted its own examples."""
    canary: Canary = request.app.state.canary
    health = await canary.health()
    if health.status == "unready":
        response.status_code = 503
    return health


@router.head("/health/live", include_in_schema=False)
@router.get("/health/live")
async def live() -> Health:
    """Report that the event loop runs."""
    return Health(status="ok")


@router.get("/metrics", response_class=PlainTextResponse)
async def show_metrics(caller: MetricsReader, services: ServicesDep) -> Response:
    """Return the Prometheus metrics of all workers."""
    services.metrics.settle()
    return Response(await to_thread.run_sync(_render, services), media_type=CONTENT_TYPE)


def _render(services: Services) -> bytes:
    services.observers.flush(timeout_s=_FLUSH_S)
    return services.metrics.render()
