"""The composition root: settings in, an app out, every part joined here and beside, and nowhere else."""

import os
import signal
import sys
from collections.abc import Sequence
from functools import partial

import structlog
from anyio import CapacityLimiter
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from artifacts.trial import Trials
from serve.api import auth, batch, docs, jwks, me, middleware, models, ops, predict, problems
from serve.api.deps import Services
from serve.api.predict import PredictEndpoint
from serve.app.development import with_secrets
from serve.app.lifespan import lifespan
from serve.app.limits import make_batcher, make_csv_options, make_rates, make_shared
from serve.app.security import make_security
from serve.inference.model_errors import ModelErrors
from serve.inference.observers import MetricsObserver, Observers
from serve.inference.registry import Registry
from serve.inference.service import InferenceService
from serve.inference.single_call import RETRY_S
from serve.inference.threads import ModelThreads
from serve.settings import Settings
from serve.storage import database
from serve.telemetry.access_log import AccessLog
from serve.telemetry.logs import configure_logging, is_text
from serve.telemetry.metrics import Metrics

VERSION = "0.1.0"

_log = structlog.get_logger("serve.app")


def in_worker(settings: Settings, registry: Registry, trials: Trials) -> ASGIApp:
    """The app of a worker process, which looks into the registry itself."""
    settings = settings if settings.is_production else with_secrets(settings)
    configure_logging(level=settings.log_level, form=settings.log_format)
    return create_app(settings, registry=registry, trials=trials)


def create_app(settings: Settings, *, registry: Registry | None = None, trials: Trials | None = None) -> ASGIApp:
    """Join the services."""
    metrics = Metrics()
    models_in_memory = registry or Registry(default=settings.default_model)
    engine = database.connect(settings.database)
    threads = ModelThreads(
        settings.threads,
        deadline_s=settings.deadline_s,
        models=lambda: len(models_in_memory.all()),
        on_overdue=metrics.threads_overdue.set,
        on_exhausted=_replace_process,
    )
    observers = Observers(
        [MetricsObserver(metrics)],
        on_dropped=lambda observer, events: metrics.observations_dropped.labels(observer).inc(events),
    )
    access_log = _access_log(settings)
    shared = make_shared(settings)
    security = make_security(settings, engine, metrics)
    services = Services(
        registry=models_in_memory,
        inference=InferenceService(
            models_in_memory,
            batcher=make_batcher(settings, threads),
            errors=ModelErrors(lambda model, version: metrics.model_errors.labels(model, str(version)).inc()),
            observers=observers,
            cache_rows=settings.cache_rows,
            retry_s=min(RETRY_S, settings.deadline_s / 2),
        ),
        observers=observers,
        login=security.login,
        tokens=security.tokens,
        grants=security.grants,
        records=security.records,
        callers=security.callers,
        metrics=metrics,
        rates=make_rates(settings, shared),
        csv=make_csv_options(settings),
        threads=threads,
        reading=CapacityLimiter(settings.threads),
        password_threads=security.password_threads,
        database_threads=security.database_threads,
        canary_interval_s=settings.canary_interval_s,
        open_metrics=settings.open_metrics,
    )
    app = FastAPI(
        title="sepal",
        version=VERSION,
        description="Serves scikit-learn models on tabular data.",
        openapi_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        lifespan=partial(
            lifespan,
            settings=settings,
            services=services,
            engine=engine,
            access_log=access_log,
            shared=shared,
            security=security,
            trials=trials,
        ),
        max_body_size=settings.max_json_bytes,
    )
    app.state.services = services
    app.state.canary = ops.Canary(services)
    _include(app, settings)
    problems.install(app)
    endpoint = PredictEndpoint(app, services, max_bytes=settings.max_json_bytes)
    inner = _opened(endpoint, settings.cors_origins)
    return middleware.RequestMiddleware(inner, metrics=metrics, access_log=access_log, is_direct=inner is endpoint)


def _replace_process() -> None:
    """Shut this process down as SIGTERM does; the supervisor starts a new one, with all of its threads."""
    _log.error("process ends", reason="half of its threads are lost to calls of models that do not return")
    os.kill(os.getpid(), signal.SIGTERM)


def _include(app: FastAPI, settings: Settings) -> None:
    """Every route, each with the size of body that it takes."""
    app.include_router(ops.router)
    app.include_router(jwks.router)
    app.include_router(
        auth.router,
        max_body_size=settings.max_form_bytes,
        form_limits={"max_fields": 20, "max_files": 0},
    )
    app.include_router(me.router, max_body_size=settings.max_form_bytes)
    app.include_router(batch.router, max_body_size=settings.max_csv_bytes)
    app.include_router(predict.router)
    app.include_router(models.router)
    if settings.shows_docs:
        docs.install(app)


def _opened(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """The app, open to the pages of these origins: they may send a token, and never a cookie."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=["GET", "POST", "PUT", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
        expose_headers=["X-Request-ID", "RateLimit", "RateLimit-Policy", "Retry-After"],
    )


def _access_log(settings: Settings) -> AccessLog | None:
    """What writes JSON; text for a terminal goes the way of all other lines, as does what is below the level."""
    is_wanted = settings.log_level in {"debug", "info"} and not is_text(settings.log_format, sys.stdout)
    return AccessLog(sys.stdout) if is_wanted else None
