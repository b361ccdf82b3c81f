"""Who asks: tokens, sessions, keys and the watch over all of them, joined."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from anyio import from_thread
from sqlalchemy import Engine

from serve.auth import keys
from serve.auth.auth_threads import AuthThreads
from serve.auth.callers import Callers
from serve.auth.grants import Grants
from serve.auth.issuer import Issuer
from serve.auth.keyring import Keyring
from serve.auth.lockout import Lockout
from serve.auth.login import Login
from serve.auth.oidc import OidcVerifier
from serve.auth.passwords import Passwords
from serve.auth.principals import Verified
from serve.auth.renewal import KEYRING_S, Source
from serve.auth.revocation_poller import RevocationPoller
from serve.auth.security_store import SecurityStore
from serve.auth.tokens import Tokens
from serve.auth.users import Scope
from serve.settings import OIDC_SCOPES, Settings
from serve.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Security:
    """Who asks: the services of it."""

    keyring: Keyring
    tokens: Tokens
    oidc: OidcVerifier | None
    records: SecurityStore
    grants: Grants
    login: Login
    callers: Callers
    database_threads: AuthThreads
    watch: RevocationPoller


def make_security(settings: Settings, engine: Engine, metrics: Metrics) -> Security:
    """Join who issues, who verifies and who remembers."""

    def announce(found: Mapping[str, float]) -> None:
        # From the thread that revoked to the loop that remembers, before anybody is answered.
        from_thread.run_sync(watch.hear, found)

    async def look_up(bearer: str) -> Verified:
        # What has not even the form of a key takes nobody's thread.
        keys.parse(bearer)
        return await looking.run(records.keys.verify, bearer)

    keyring, outside = make_keyring(settings), make_oidc_verifier(settings)
    tokens = make_tokens(settings, keyring)
    records = SecurityStore.of(engine, audit_days=settings.audit_days, announce=announce)
    looking = AuthThreads(settings.login_threads)
    callers = Callers(tokens, oidc=outside, look_up=look_up, is_revoked=records.revocations.hold)
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
    watch = RevocationPoller(
        records.revocations,
        callers,
        metrics,
        poll_s=settings.revocation_poll_s,
        prune=[records.sessions.prune, records.revocations.prune, records.audit.prune, lockout.prune],
    )
    return Security(keyring, tokens, outside, records, grants, login, callers, looking, watch)


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


def make_oidc_verifier(settings: Settings) -> OidcVerifier | None:
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
        raise ValueError(f"SEPAL_OIDC_SCOPES: {error}; for example {OIDC_SCOPES}") from error
    return OidcVerifier(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        algorithms=settings.oidc_algorithms.split(),
        scope_claim=settings.oidc_scope_claim,
        scopes=ours,
    )


def key_sources(settings: Settings, security: Security, metrics: Metrics) -> Sequence[Source[Any]]:
    """What is looked at again and again."""

    def failed(name: str) -> None:
        metrics.key_failures.labels(name).inc()

    keyring, outside = security.keyring, security.oidc
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
