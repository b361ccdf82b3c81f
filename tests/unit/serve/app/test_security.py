"""Tokens, sessions, keys and revocations are joined as the settings say."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from serve.app.security import key_renewals, make_lockout, make_oidc_verifier, make_security, make_tokens
from serve.auth.principals import Permission
from serve.auth.signing_keys import save
from serve.errors import Unauthenticated
from serve.settings import Settings
from serve.storage import database
from serve.telemetry.metrics import Metrics
from tests.support.keys import own_keys

OIDC = {"oidc_issuer": "https://issuer.example", "oidc_audience": "sepal"}


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """An empty database."""
    settings.state.mkdir()
    database.prepare(settings.database)
    engine = database.connect(settings.database)
    yield engine
    engine.dispose()


def test_the_lockout_of_an_address_follows_from_that_of_a_name(settings: Settings, engine: Engine) -> None:
    """Five failures of a name within 15 minutes are 29 of an address."""
    lockout = make_lockout(settings, engine)

    assert (lockout._most, lockout._most_of_address, lockout._window_s) == (5, 29, 900)


def test_a_caller_is_verified_by_token_or_key(settings: Settings, engine: Engine) -> None:
    """A key is looked up in the database; a text without the form of a key is refused before that."""
    security = make_security(settings, engine, Metrics())
    key = security.records.api_keys.create("robot", [Permission.PREDICT], life_s=60, who="os:ada")

    async def name_of(bearer: str) -> str:
        await security.revocation_poller.poll()
        return (await security.callers.verify(bearer)).name

    assert asyncio.run(name_of(key)) == "key:robot"
    for garbage in ("garbage", "sepal_short"):
        with pytest.raises(Unauthenticated):
            asyncio.run(name_of(garbage))


def test_without_a_provider_there_is_no_verifier(settings: Settings) -> None:
    """Tokens of an OpenID Connect provider are accepted only if an issuer is set."""
    assert make_oidc_verifier(settings) is None
    assert make_oidc_verifier(settings.model_copy(update=OIDC)) is not None


def test_an_unknown_scope_of_a_provider_is_refused(settings: Settings) -> None:
    """The message names the setting and an example."""
    known = settings.model_copy(update={**OIDC, "oidc_scopes": {"caller": "predict batch"}})
    unknown = settings.model_copy(update={**OIDC, "oidc_scopes": {"caller": "fly"}})

    assert make_oidc_verifier(known) is not None
    with pytest.raises(ValueError, match=r"SEPAL_OIDC_SCOPES: .*; for example SEPAL_OIDC_SCOPES=caller="):
        make_oidc_verifier(unknown)


def test_keys_in_a_file_and_of_a_provider_are_read_again(settings: Settings, engine: Engine, tmp_path: Path) -> None:
    """A secret alone is never read again; an interval of its own can be set for the provider."""
    save(tmp_path / "keys.json", own_keys()[:1])
    both = settings.model_copy(update={**OIDC, "token_keys": str(tmp_path / "keys.json")})
    metrics = Metrics()

    alone = list(key_renewals(settings, make_security(settings, engine, metrics), metrics))
    sources = list(key_renewals(both, make_security(both, engine, metrics), metrics, issuer_s=9))

    assert alone == []
    assert [(source.name, source.interval_s) for source in sources] == [("keyring", 2), ("issuer", 9)]


def test_tokens_are_signed_by_the_secret(settings: Settings) -> None:
    """The tokens have the audience of the settings, and no other is accepted."""
    ours, other = make_tokens(settings), make_tokens(settings.model_copy(update={"token_audience": "other"}))

    token = ours.issue("ada", [Permission.PREDICT]).token

    assert ours.verify(token).principal.name == "ada"
    with pytest.raises(Unauthenticated):
        other.verify(token)
