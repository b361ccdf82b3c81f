"""Tokens, sessions, keys and revocations, joined."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from anyio import from_thread
from limits import parse
from sqlalchemy import Engine

from serve.auth import keys
from serve.auth.auth_threads import AuthThreads
from serve.auth.callers import Callers
from serve.auth.grants import Grants
from serve.auth.issuer import Issuer
from serve.auth.keyring import Keyring
from serve.auth.lockout import NAMES_PER_ADDRESS, Lockout
from serve.auth.login import Login
from serve.auth.oidc import OidcVerifier
from serve.auth.passwords import Passwords
from serve.auth.principals import Verified
from serve.auth.renewal import ISSUER_S, KEYRING_S, Source
from serve.auth.revocation_poller import RevocationPoller
from serve.auth.security_store import SecurityStore
from serve.auth.tokens import Tokens
from serve.auth.users import Scope
from serve.settings import OIDC_SCOPES, Settings
from serve.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Security:
    """The services that decide who a caller is."""

    keyring: Keyring
    tokens: Tokens
    oidc: OidcVerifier | None
    records: SecurityStore
    grants: Grants
    login: Login
    callers: Callers
    database_threads: AuthThreads
    poller: RevocationPoller


def make_security(settings: Settings, engine: Engine, metrics: Metrics) -> Security:
    """Join the services that issue, verify and revoke tokens and keys."""

    def announce(revoked: Mapping[str, float]) -> None:
        # From the thread that revokes to the event loop that caches callers, before the revocation is answered.
        from_thread.run_sync(poller.hear, revoked)

    async def look_up(bearer: str) -> Verified:
        # Raises for a text that does not have the form of a key, before it takes a thread.
        keys.parse(bearer)
        return await database_threads.run(records.keys.verify, bearer)

    keyring, oidc, database_threads = make_keyring(settings), make_oidc_verifier(settings), AuthThreads()
    tokens = make_tokens(settings, keyring)
    records = SecurityStore.of(engine, audit_days=settings.audit_days, announce=announce)
    callers = Callers(tokens, oidc=oidc, look_up=look_up, is_revoked=records.revocations.hold)
    lockout, grants = make_lockout(settings, engine), make_grants(records, tokens, settings.refresh_ttl_s)
    sessions, audit = records.sessions, records.audit
    login = Login(engine, passwords=Passwords(), grants=grants, sessions=sessions, lockout=lockout, audit=audit)
    prune = [sessions.prune, records.revocations.prune, audit.prune, lockout.prune]
    poller = RevocationPoller(records.revocations, callers, metrics, prune=prune)
    return Security(keyring, tokens, oidc, records, grants, login, callers, database_threads, poller)


def make_lockout(settings: Settings, engine: Engine) -> Lockout:
    """Return the lock that follows failed logins."""
    failures = parse(settings.lockout)
    return Lockout(
        engine,
        most=failures.amount,
        most_of_address=NAMES_PER_ADDRESS * failures.amount - 1,
        window_s=failures.get_expiry(),
    )


def make_grants(records: SecurityStore, tokens: Tokens, refresh_ttl_s: int) -> Grants:
    """Return what opens and refreshes sessions."""
    return Grants(records.engine, tokens, sessions=records.sessions, audit=records.audit, refresh_ttl_s=refresh_ttl_s)


def make_keyring(settings: Settings) -> Keyring:
    """Return the keys that sign tokens of this deployment."""
    return Keyring(
        Path(settings.token_keys) if settings.token_keys else None, secret=settings.secret_key.get_secret_value()
    )


def make_tokens(settings: Settings, keyring: Keyring | None = None) -> Tokens:
    """
    Return what issues and verifies tokens of this deployment.

    Raises:
        OSError: The file of the keys cannot be read.
        ValueError: The file is not a valid key set.
    """
    return Tokens(
        (keyring or make_keyring(settings)).read(), audience=settings.token_audience, ttl_s=settings.token_ttl_s
    )


def make_oidc_verifier(settings: Settings) -> OidcVerifier | None:
    """
    Return what verifies tokens of an OpenID Connect provider, or None without one.

    Raises:
        ValueError: A setting names an unknown scope.
    """
    if not settings.oidc_issuer:
        return None
    scopes = settings.oidc_scopes
    try:
        ours = None if scopes is None else {value: list(map(Scope, text.split())) for value, text in scopes.items()}
    except ValueError as error:
        raise ValueError(f"SEPAL_OIDC_SCOPES: {error}; for example SEPAL_OIDC_SCOPES={OIDC_SCOPES}") from error
    return OidcVerifier(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        scope_claim=settings.oidc_scope_claim,
        scopes=ours,
    )


def key_sources(
    settings: Settings, security: Security, metrics: Metrics, *, issuer_s: float = ISSUER_S
) -> Iterator[Source[Any]]:
    """Yield the sources whose keys are read again and again."""
    keyring, oidc = security.keyring, security.oidc
    source = partial(
        Source[Any],
        forget=security.callers.forget,
        failed=lambda name: metrics.key_failures.labels(name).inc(),
    )
    if keyring.is_renewed:
        yield source(name="keyring", read=keyring.read, take=security.tokens.take, interval_s=KEYRING_S)
    if oidc:
        yield source(name="issuer", read=make_issuer(settings).read, take=oidc.take, interval_s=issuer_s)


def make_issuer(settings: Settings) -> Issuer:
    """
    Return where the keys of the OpenID Connect provider are.

    Raises:
        ValueError: They cannot be fetched safely from there.
    """
    return Issuer(settings.oidc_issuer, keys=settings.oidc_jwks)
