"""The composition root: settings in, an app out, every part joined here and nowhere else."""

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from anyio import CapacityLimiter, from_thread
from fastapi import FastAPI
from limits import parse
from sqlalchemy import Engine
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from artifacts import Store
from serve import database, registry
from serve.access_log import AccessLog
from serve.api import auth, batch, docs, jwks, me, middleware, models, ops, predict, problems
from serve.api.deps import Parts
from serve.api.hot import Hot
from serve.api.rates import Rates
from serve.batching import Batcher
from serve.development import with_secrets
from serve.inference import Inference
from serve.limits.counts import Here
from serve.limits.rate import Rate
from serve.registry import Registry, Served
from serve.rows import Limits
from serve.security import keys
from serve.security.callers import Callers
from serve.security.desk import Desk
from serve.security.grants import Grants
from serve.security.issuer import Issuer
from serve.security.keyring import Keyring
from serve.security.lockout import Lockout
from serve.security.login import Login
from serve.security.outside import Outside
from serve.security.passwords import Passwords
from serve.security.principals import Verified
from serve.security.records import Records
from serve.security.renewal import KEYRING_S, Source, followed
from serve.security.tokens import Tokens
from serve.security.watch import Watch
from serve.settings import Settings
from serve.tabular.options import CsvOptions
from serve.telemetry import Metrics, configure_logging, forget_process, is_text
from serve.users import Scope

if TYPE_CHECKING:
    from serve.limits.shared import Shared

VERSION = "0.1.0"

# New objects after which garbage is looked for.
_COLLECT_AFTER = 10_000

_log = structlog.get_logger("serve.app")
_audit = structlog.get_logger("serve.audit")


def from_environment() -> ASGIApp:
    """The app as a server process wants it, its settings read from the environment."""
    settings = Settings()
    settings = settings if settings.is_production else with_secrets(settings)
    configure_logging(level=settings.log_level, form=settings.log_format)
    return create_app(settings)


def create_app(settings: Settings) -> ASGIApp:
    """Join the parts."""
    metrics = Metrics()
    models_in_memory = Registry(default=settings.default_model)
    engine = database.connect(settings.database)
    computing = CapacityLimiter(settings.threads)
    access_log = _access_log(settings)
    shared = _shared(settings)
    security = _security(settings, engine, metrics)
    parts = Parts(
        registry=models_in_memory,
        inference=Inference(
            models_in_memory,
            metrics,
            batcher=_batcher(settings, computing),
            cache_rows=settings.cache_rows,
        ),
        login=security.login,
        tokens=security.tokens,
        grants=security.grants,
        records=security.records,
        callers=security.callers,
        metrics=metrics,
        rates=_rates(settings, shared),
        csv=_csv_options(settings),
        computing=computing,
        recognising=Desk(settings.login_threads),
        looking=security.looking,
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
            _lifespan,
            settings=settings,
            parts=parts,
            engine=engine,
            access_log=access_log,
            shared=shared,
            security=security,
        ),
        max_body_size=settings.max_json_bytes,
    )
    app.state.parts = parts
    app.state.canary = ops.Canary(parts)
    _include(app, settings)
    problems.install(app)
    hot = Hot(app, parts, predict.router.routes, max_bytes=settings.max_json_bytes)
    inner = _opened(hot, settings.cors_origins)
    return middleware.Observed(inner, metrics=metrics, access_log=access_log)


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


def _shared(settings: Settings) -> "Shared | None":
    url = settings.redis_url.get_secret_value()
    if not url:
        return None
    # Its client takes 200 ms to import.
    from serve.limits.shared import Shared

    return Shared(url, wait_s=settings.redis_wait_ms / 1000)


def _rates(settings: Settings, shared: "Shared | None") -> Rates:
    here, apart = Here(), settings.workers * settings.replicas

    def rate(name: str, text: str, *, is_strict: bool = False) -> Rate | None:
        if not text:
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


def _access_log(settings: Settings) -> AccessLog | None:
    """What writes JSON; text for a terminal goes the way of all other lines, as does what is below the level."""
    is_wanted = settings.log_level in {"debug", "info"} and not is_text(settings.log_format, sys.stdout)
    return AccessLog(sys.stdout) if is_wanted else None


@asynccontextmanager
async def _lifespan(
    _app: FastAPI,
    *,
    settings: Settings,
    parts: Parts,
    engine: Engine,
    access_log: AccessLog | None,
    shared: "Shared | None",
    security: "_Security",
) -> AsyncIterator[None]:
    # Before anybody is served: what was revoked before a restart does not count for a moment after it.
    await security.watch.look()
    served = await parts.compute(registry.load, Store.of(settings), _limits(settings))
    for model in served:
        _tell(model, parts.metrics)
    if not served:
        _log.warning("the store is empty", advice="make train")
    parts.registry.replace(served)
    if shared:
        await shared.open()
    # What is in memory now stays: looked through again and again for garbage, it would hold requests up for 50 ms.
    gc.collect()
    gc.freeze()
    # Sixty requests at once are some thousand objects, none of them garbage: the usual 700 would be looked through
    # several times in every turn of the loop.
    gc.set_threshold(_COLLECT_AFTER)
    watching = asyncio.create_task(security.watch.run())
    try:
        async with followed(_key_sources(settings, security, parts.metrics)):
            yield
    finally:
        watching.cancel()
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


def _limits(settings: Settings) -> Limits:
    return Limits(
        max_depth=settings.max_depth,
        max_rows=settings.max_rows,
        max_columns=settings.max_columns,
        max_digits=settings.max_digits,
        max_errors=settings.max_errors,
        ignore_unknown=settings.unknown_names == "ignore",
        show_values=settings.shows_values,
    )


def _batcher(settings: Settings, computing: CapacityLimiter) -> Callable[..., Batcher[Any, Any]]:
    return partial(
        Batcher,
        computing=computing,
        call_rows=settings.call_rows,
        queue_rows=settings.queue_rows,
        deadline_s=settings.deadline_s,
    )


def _csv_options(settings: Settings) -> CsvOptions:
    return CsvOptions(
        max_columns=settings.max_csv_columns,
        max_cell_bytes=settings.max_cell_bytes,
        max_digits=settings.max_digits,
        nulls=frozenset(settings.csv_nulls),
        escape_all=settings.csv_escape == "all",
    )


@dataclass(frozen=True, slots=True)
class _Security:
    """Who asks: the parts of it."""

    keyring: Keyring
    tokens: Tokens
    outside: Outside | None
    records: Records
    grants: Grants
    login: Login
    callers: Callers
    looking: Desk
    watch: Watch


def _security(settings: Settings, engine: Engine, metrics: Metrics) -> _Security:
    def announce(found: Mapping[str, float]) -> None:
        # From the thread that revoked to the loop that remembers, before anybody is answered.
        from_thread.run_sync(watch.hear, found)

    async def look_up(bearer: str) -> Verified:
        # What has not even the form of a key takes nobody's thread.
        keys.parse(bearer)
        return await looking.run(records.keys.verify, bearer)

    keyring, outside = make_keyring(settings), make_outside(settings)
    tokens = make_tokens(settings, keyring)
    records = Records.of(engine, audit_days=settings.audit_days, announce=announce)
    looking = Desk(settings.login_threads)
    callers = Callers(tokens, outside=outside, look_up=look_up, is_revoked=records.revocations.hold)
    lockout = Lockout(
        engine,
        most=settings.login_failures,
        most_of_address=settings.login_failures_address,
        window_s=settings.login_window_s,
    )
    grants = Grants(
        engine,
        tokens,
        sessions=records.sessions,
        audit=records.audit,
        refresh_ttl_s=settings.refresh_ttl_s,
    )
    login = Login(
        engine,
        passwords=Passwords(),
        grants=grants,
        sessions=records.sessions,
        lockout=lockout,
        audit=records.audit,
    )
    watch = Watch(
        records.revocations,
        callers,
        metrics,
        poll_s=settings.revocation_poll_s,
        prune=[records.sessions.prune, records.revocations.prune, records.audit.prune, lockout.prune],
    )
    return _Security(keyring, tokens, outside, records, grants, login, callers, looking, watch)


def make_keyring(settings: Settings) -> Keyring:
    """The keys of this deployment."""
    file = Path(settings.token_keys) if settings.token_keys else None
    return Keyring(file, secret=settings.secret_key.get_secret_value())


def make_tokens(settings: Settings, keyring: Keyring | None = None) -> Tokens:
    """
    The tokens of this deployment.

    Raises:
        OSError: The file of the keys cannot be read.
        ValueError: It is not what it must be.
    """
    return Tokens(
        (keyring or make_keyring(settings)).read(),
        issuer=settings.token_issuer,
        audience=settings.token_audience,
        ttl_s=settings.token_ttl_s,
    )


def make_outside(settings: Settings) -> Outside | None:
    """
    The tokens of an OpenID Connect provider, where one is named.

    Raises:
        ValueError: A setting names a scope that is none of ours.
    """
    if not settings.oidc_issuer:
        return None
    scopes = settings.oidc_scopes
    try:
        ours = None if scopes is None else {value: list(map(Scope, text.split())) for value, text in scopes.items()}
    except ValueError as error:
        raise ValueError(f"SEPAL_OIDC_SCOPES: {error}") from error
    return Outside(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        algorithms=settings.oidc_algorithms.split(),
        scope_claim=settings.oidc_scope_claim,
        scopes=ours,
    )


def _key_sources(settings: Settings, security: _Security, metrics: Metrics) -> Sequence[Source[Any]]:
    """What is looked at again and again."""

    def failed(name: str) -> None:
        metrics.key_failures.labels(name).inc()

    keyring, outside = security.keyring, security.outside
    source = partial(Source[Any], forget=security.callers.forget, failed=failed)
    sources: list[Source[Any]] = []
    if keyring.is_renewed:
        sources.append(source(name="keyring", read=keyring.read, take=security.tokens.take, interval_s=KEYRING_S))
    if outside is not None:
        issuer = make_issuer(settings)
        sources.append(source(name="issuer", read=issuer.read, take=outside.take, interval_s=settings.oidc_refresh_s))
    return sources


def make_issuer(settings: Settings) -> Issuer:
    """
    Where the keys of the OpenID Connect provider are.

    Raises:
        ValueError: Not where they could be fetched safely.
    """
    return Issuer(settings.oidc_issuer, keys=settings.oidc_jwks, algorithms=settings.oidc_algorithms.split())
