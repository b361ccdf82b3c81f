"""Sessions: listed, ended by their users, and pruned."""

import pytest

from serve.auth.security_store import SecurityStore
from serve.auth.sessions import MOST_KEPT, LoginSession, Sessions
from serve.errors import SessionNotFound
from serve.storage.database import writing

NOW = 1_800_000_000.0


@pytest.fixture
def sessions(records: SecurityStore) -> Sessions:
    """The sessions of an empty database, at a fixed time."""
    return Sessions(records.engine, revocations=records.revocations, audit=records.audit, clock=lambda: NOW)


def add(records: SecurityStore, id_: str, *, user: str = "ada", used_s: float = 0, expires_s: float = 60) -> None:
    """Store a session that was used and expires so many seconds after now."""
    login = LoginSession(id=id_, user=user, scope="predict", address="", created_at=NOW, used_at=NOW + used_s)
    login.expires_at = login.access_until = NOW + expires_s
    with writing(records.engine) as session:
        session.add(login)


def ids(logins: list[LoginSession]) -> list[str]:
    """Return the ids of sessions."""
    return [login.id for login in logins]


def test_sessions_are_listed_by_last_use(sessions: Sessions, records: SecurityStore) -> None:
    """Those of one user or of all, without expired ones."""
    add(records, "a1")
    add(records, "a2", used_s=5)
    add(records, "gone", expires_s=-1)
    add(records, "b1", user="bob")

    assert ids(sessions.all("ada")) == ["a2", "a1"]
    assert ids(sessions.all()) == ["a2", "a1", "b1"]
    sessions.prune()
    with pytest.raises(SessionNotFound):
        sessions.end("gone", who="test", address="")


def test_a_user_ends_only_their_own_sessions(sessions: Sessions, records: SecurityStore) -> None:
    """The session of another user looks like one that does not exist; an ended one is revoked."""
    add(records, "a1", expires_s=4_000_000_000)

    with pytest.raises(SessionNotFound):
        sessions.end("a1", who="bob", address="", user="bob")
    sessions.end("a1", who="ada", address="", user="ada")
    sessions.revoke("t1", 4_000_000_000, who="ada", address="")

    assert sessions.all() == []
    assert records.revocations.read().keys() == {"a1", "t1"}


def test_all_sessions_but_one_end(sessions: Sessions, records: SecurityStore) -> None:
    """A change of the password ends all sessions of the user except the current one."""
    for name in ("a1", "a2", "a3"):
        add(records, name)
    add(records, "b1", user="bob")

    with writing(records.engine) as session:
        assert sessions.end_all(session, ["ada"], but="a2") == 2

    assert ids(sessions.all()) == ["a2", "b1"]


def test_old_sessions_of_a_user_with_many_are_deleted(sessions: Sessions, records: SecurityStore) -> None:
    """Beyond the limit, sessions whose access tokens have expired are deleted; a valid one is kept."""
    for number in range(MOST_KEPT + 2):
        add(records, f"s{number}", used_s=number, expires_s=-1 if number != 1 else 60)

    with writing(records.engine) as session:
        sessions.prune_user(session, "ada")
        kept = session.get(LoginSession, "s0"), session.get(LoginSession, "s1"), session.get(LoginSession, "s2")

    assert [login is not None for login in kept] == [False, True, True]
