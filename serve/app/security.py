"""Composition of authentication: tokens, sessions, keys and revocations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter, from_thread, to_thread
from limits import parse
from sqlalchemy import Engine

from serve.auth import api_keys
from serve.auth.callers import Callers
from serve.auth.grants import Grants
from serve.auth.key_renewal import ISSUER_S, KEY_FILE_S, KeyRenewal
from serve.auth.lockout import NAMES_PER_ADDRESS, Lockout
from serve.auth.login import Login
from serve.auth.oidc import OidcVerifier
from serve.auth.oidc_keys import OidcKeys
from serve.auth.passwords import Passwords
from serve.auth.principals import Permission, Verified
from serve.auth.revocation_poller import RevocationPoller
from serve.auth.security_store import SecurityStore
from serve.auth.signing_keys import DeploymentKeys
from serve.auth.thread_limiter import ThreadLimiter
from serve.auth.tokens import Tokens
from serve.settings import OIDC_SCOPES, Settings
from serve.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Security:
    """The services of authentication."""

    keys: DeploymentKeys
    tokens: Tokens
    oidc: OidcVerifier | None
    records: SecurityStore
    grants: Grants
    login: Login
    callers: Callers
    password_threads: ThreadLimiter
    database_threads: ThreadLimiter
    revocation_poller: RevocationPoller


def make_security(settings: Settings, engine: Engine, metrics: Metrics) -> Security:
    """Join what issues, verifies, stores and revokes."""

    def announce(found: Mapping[str, float]) -> None:
        # From the thread that revoked to the event loop, before the caller gets a response.
        from_thread.run_sync(poller.apply, found)

    async def look_up(bearer: str) -> Verified:
        # A malformed key takes no thread.
        api_keys.parse(bearer)
        return await database_threads.run(records.api_keys.verify, bearer)

    keys, oidc = make_keys(settings), make_oidc_verifier(settings)
    tokens = make_tokens(settings, keys)
    records = SecurityStore(engine, audit_days=settings.audit_days, announce=announce)
    database_threads = ThreadLimiter()
    callers = Callers(tokens, oidc=oidc, look_up=look_up, is_revoked=records.revocations.any_revoked)
    lockout = make_lockout(settings, engine)
    grants = Grants(records, tokens, refresh_ttl_s=settings.refresh_ttl_s)
    login = Login(records, passwords=Passwords(), grants=grants, lockout=lockout)
    poller = RevocationPoller(
        records.revocations,
        callers,
        metrics,
        prune=[records.sessions.prune, records.revocations.prune, records.audit.prune, lockout.prune],
    )
    password_threads = ThreadLimiter()
    return Security(keys, tokens, oidc, records, grants, login, callers, password_threads, database_threads, poller)


def make_lockout(settings: Settings, engine: Engine) -> Lockout:
    """Make what locks names and addresses after failed logins."""
    failures = parse(settings.lockout)
    return Lockout(
        engine,
        most=failures.amount,
        most_of_address=NAMES_PER_ADDRESS * failures.amount - 1,
        window_s=failures.get_expiry(),
    )


def make_keys(settings: Settings) -> DeploymentKeys:
    """Make the source of this deployment's signing keys."""
    file = Path(settings.token_keys) if settings.token_keys else None
    return DeploymentKeys(file, secret=settings.secret_key.get_secret_value())


def make_tokens(settings: Settings, keys: DeploymentKeys | None = None) -> Tokens:
    """
    Make what issues and verifies the tokens of this deployment.

    Raises:
        OSError: The file of the keys cannot be read.
        ValueError: The file is invalid.
    """
    return Tokens((keys or make_keys(settings)).read(), audience=settings.token_audience, ttl_s=settings.token_ttl_s)


def make_oidc_verifier(settings: Settings) -> OidcVerifier | None:
    """
    Make what verifies the tokens of an OpenID Connect provider, where one is configured.

    Raises:
        ValueError: A setting names an unknown scope.
    """
    if not settings.oidc_issuer:
        return None
    scopes = settings.oidc_scopes
    try:
        ours = (
            None if scopes is None else {value: list(map(Permission, text.split())) for value, text in scopes.items()}
        )
    except ValueError as error:
        raise ValueError(f"SEPAL_OIDC_SCOPES: {error}; for example SEPAL_OIDC_SCOPES={OIDC_SCOPES}") from error
    return OidcVerifier(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        scope_claim=settings.oidc_scope_claim,
        scopes=ours,
    )


def key_renewals(
    settings: Settings, security: Security, metrics: Metrics, *, issuer_s: float = ISSUER_S
) -> Sequence[KeyRenewal[Any]]:
    """Return the renewals of all keys that can change: those of a file, and those of an OpenID Connect provider."""

    def failed(name: str) -> None:
        metrics.key_failures.labels(name).inc()

    renewal = partial(KeyRenewal[Any], forget=security.callers.forget, failed=failed)
    renewals: list[KeyRenewal[Any]] = []
    if security.keys.file is not None:
        read = partial(to_thread.run_sync, security.keys.read, limiter=CapacityLimiter(1), abandon_on_cancel=True)
        replace = security.tokens.replace_keys
        renewals.append(renewal(name="keyring", read=read, replace=replace, interval_s=KEY_FILE_S))
    if security.oidc is not None:
        read_issuer, replace_issuer = make_oidc_keys(settings).read, security.oidc.replace_keys
        renewals.append(renewal(name="issuer", read=read_issuer, replace=replace_issuer, interval_s=issuer_s))
    return renewals


def make_oidc_keys(settings: Settings) -> OidcKeys:
    """
    Make the source of the OpenID Connect provider's keys.

    Raises:
        ValueError: The keys could not be fetched safely from there.
    """
    return OidcKeys(settings.oidc_issuer, keys=settings.oidc_jwks)
