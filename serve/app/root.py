"""The composition root: it joins the services to an app, as the settings say."""

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
from serve.api.rates import Rates
from serve.app.development import with_secrets
from serve.app.lifespan import lifespan
from serve.app.limits import make_rates, make_shared
from serve.app.security import Security, make_security
from serve.auth.key_renewal import ISSUER_S
from serve.dialects.csv.options import CsvOptions
from serve.inference.batching import Batcher
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
# The size of a login form; larger ones are 413.
FORM_BYTES = 16 * 2**10

_log = structlog.get_logger("serve.app")


def in_worker(settings: Settings, registry: Registry, trials: Trials) -> ASGIApp:
    """Return the app of a worker process, which reads the registry too."""
    settings = settings if settings.is_production else with_secrets(settings)
    configure_logging(level=settings.log_level, form=settings.log_format)
    return create_app(settings, registry=registry, trials=trials)


def create_app(
    settings: Settings,
    *,
    registry: Registry | None = None,
    trials: Trials | None = None,
    issuer_s: float = ISSUER_S,
    redis_wait_s: float | None = None,
) -> ASGIApp:
    """
    Join the services.

    Args:
        settings: The settings of the process.
        registry: Where models are loaded; by default a new one.
        trials: Where models are tried first; by default a child process of the store.
        issuer_s: How often the keys of an OpenID Connect provider are read.
        redis_wait_s: How long a request waits for Redis.
    """
    metrics, access_log = Metrics(), _access_log(settings)
    registry = registry or Registry(default=settings.default_model)
    shared = make_shared(settings, redis_wait_s)
    security = make_security(settings, database.connect(settings.database), metrics)
    services = _services(settings, registry, metrics, security, make_rates(settings, shared))
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
            security=security,
            access_log=access_log,
            shared=shared,
            trials=trials,
            issuer_s=issuer_s,
        ),
        max_body_size=settings.max_json_bytes,
    )
    app.state.services = services
    app.state.canary = ops.Canary(services)
    _include(app, settings)
    problems.install(app)
    endpoint = PredictEndpoint(app, services, max_bytes=settings.max_json_bytes)
    inner = _with_cors(endpoint, settings.cors_origins)
    return middleware.RequestMiddleware(inner, metrics=metrics, access_log=access_log, is_direct=inner is endpoint)


def _services(settings: Settings, registry: Registry, metrics: Metrics, security: Security, rates: Rates) -> Services:
    """Return what the routes depend on."""
    threads = ModelThreads(
        settings.threads,
        deadline_s=settings.deadline_s,
        models=lambda: len(registry.all()),
        on_overdue=metrics.threads_overdue.set,
        on_exhausted=_replace_process,
    )
    observers = Observers(
        [MetricsObserver(metrics)],
        on_dropped=lambda observer, events: metrics.observations_dropped.labels(observer).inc(events),
    )
    inference = InferenceService(
        registry,
        batcher=partial(Batcher, threads=threads, queue_rows=settings.queue_rows, deadline_s=settings.deadline_s),
        errors=ModelErrors(lambda model, version: metrics.model_errors.labels(model, str(version)).inc()),
        observers=observers,
        cache_rows=settings.cache_rows,
        retry_s=min(RETRY_S, settings.deadline_s / 2),
    )
    return Services(
        registry=registry,
        inference=inference,
        observers=observers,
        login=security.login,
        tokens=security.tokens,
        grants=security.grants,
        records=security.records,
        callers=security.callers,
        metrics=metrics,
        rates=rates,
        csv=CsvOptions(escape_all=settings.csv_escape == "all"),
        threads=threads,
        reading=CapacityLimiter(settings.threads),
        password_threads=security.password_threads,
        database_threads=security.database_threads,
        open_metrics=settings.exposes("metrics"),
    )


def _replace_process() -> None:
    """Shut this process down like SIGTERM; the supervisor starts a new one, which has all of its threads."""
    _log.error("process ends", reason="half of its threads are lost to calls of models that do not return")
    os.kill(os.getpid(), signal.SIGTERM)


def _include(app: FastAPI, settings: Settings) -> None:
    """Add every route, each with the largest body that it accepts."""
    app.include_router(ops.router)
    app.include_router(jwks.router)
    app.include_router(
        auth.router,
        max_body_size=FORM_BYTES,
        form_limits={"max_fields": 20, "max_files": 0},
    )
    app.include_router(me.router, max_body_size=FORM_BYTES)
    app.include_router(batch.router, max_body_size=settings.max_csv_bytes)
    app.include_router(predict.router)
    app.include_router(models.router)
    if settings.exposes("docs"):
        docs.install(app)


def _with_cors(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """Return the app with CORS for these origins; their pages may send a token, never a cookie."""
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
    """Return the writer of JSON access lines; None if they are text for a terminal, or not logged at this level."""
    is_wanted = settings.log_level in {"debug", "info"} and not is_text(settings.log_format, sys.stdout)
    return AccessLog(sys.stdout) if is_wanted else None
