"""Grants: sessions are opened and continued, and a refresh token is valid once."""

import pytest

from serve.auth.grants import Grants, requested
from serve.auth.principals import Permission
from serve.auth.security_store import SecurityStore
from serve.auth.users import lock_user
from serve.errors import GrantRefused, ScopeRefused
from serve.storage.database import writing
from tests.unit.serve.auth.test_tokens import tokens

BOTH = frozenset({Permission.PREDICT, Permission.BATCH})


class Client:
    """A user who logs in and refreshes."""

    def __init__(self, records: SecurityStore) -> None:
        self.now = 1_800_000_000.0
        self.records = records
        self.admin = records.user_admin("test")
        self.admin.add("ada", password_hash="x", permissions=BOTH)
        self.grants = Grants(records, tokens(), refresh_ttl_s=3600, clock=lambda: self.now)

    def log_in(self) -> str:
        """Return a refresh token."""
        with writing(self.records.engine) as session:
            user = lock_user(session, "ada", "to write")
            assert user is not None
            return self.grants.open(session, user, BOTH, address="").refresh_token

    def events(self) -> list[str]:
        """Return the events of the audit."""
        return [entry.event for entry in self.records.audit.last(10)]


@pytest.fixture
def client(records: SecurityStore) -> Client:
    """A client that has not logged in."""
    return Client(records)


def test_a_refresh_token_is_exchanged_for_the_next(client: Client) -> None:
    """Each refresh returns an access token with the requested scope, and the next refresh token."""
    first = client.log_in()

    second = client.grants.refresh(first, "", address="")
    third = client.grants.refresh(second.refresh_token, "predict", address="")

    assert second.access.permissions == BOTH
    assert third.access.permissions == {Permission.PREDICT}
    assert third.refresh_expires_in_s == 3600
    with pytest.raises(ScopeRefused):
        client.grants.refresh(third.refresh_token, "metrics:read", address="")


def test_a_replayed_refresh_token_ends_its_session(client: Client) -> None:
    """After a second use of the same refresh token, the newest one is invalid too, and the audit has the event."""
    first = client.log_in()
    second = client.grants.refresh(first, "", address="").refresh_token

    for token in (first, second, "unknown"):
        with pytest.raises(GrantRefused):
            client.grants.refresh(token, "", address="")

    assert "refresh-replayed" in client.events()
    assert client.records.sessions.all() == []


def test_a_session_of_a_disabled_user_ends(client: Client) -> None:
    """A refresh while the user is disabled ends the session, without counting as a replay."""
    token = client.log_in()
    with writing(client.records.engine) as session:
        user = lock_user(session, "ada", "to write")
        assert user is not None
        user.disabled = True

    with pytest.raises(GrantRefused):
        client.grants.refresh(token, "", address="")

    assert "session-ended" in client.events()


def test_a_session_expires(client: Client) -> None:
    """After the lifetime of the refresh token the session cannot be continued."""
    token = client.log_in()
    client.now += 3601

    with pytest.raises(GrantRefused):
        client.grants.refresh(token, "", address="")


def test_an_empty_scope_requests_everything() -> None:
    """Without a requested scope all permissions are granted; more than these are refused."""
    assert requested("", BOTH) == BOTH
    assert requested("batch", BOTH) == {Permission.BATCH}
    with pytest.raises(ScopeRefused):
        requested("batch metrics:read", BOTH)
