"""Logins by themselves: that all who are refused cost the same, and that a change of rights is never missed."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Engine, delete, event

from serve.auth.grants import Grants
from serve.auth.lockout import Failure, Lockout
from serve.auth.login import Login
from serve.auth.passwords import Passwords
from serve.auth.principals import Permission
from serve.auth.revocations import Revocations
from serve.auth.security_store import SecurityStore
from serve.auth.users import User, lock_user
from serve.errors import BadCredentials, LockedOut
from serve.storage import database
from serve.storage.database import connect, migrate, writing
from tests.support.deployment import PASSWORD
from tests.unit.serve.auth.test_tokens import tokens

WEAK = {"memory_kib": 1024, "passes": 1}


class Counted(Passwords):
    """Counts the hashes that are verified, and can be interrupted before one is."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.verified = 0
        self.meanwhile: Callable[[], object] = int

    def verify(self, password: str, hashed: str | None) -> bool:
        self.verified += 1
        matches = super().verify(password, hashed)
        self.meanwhile()
        return matches


@dataclass
class World:
    """A database with users in it, and the way to log in."""

    engine: Engine
    passwords: Counted = field(default_factory=lambda: Counted(**WEAK))
    now: float = 1_800_000_000.0

    def __post_init__(self) -> None:
        self.records = SecurityStore.of(self.engine, audit_days=0)
        self.admin = self.records.user_admin("test")
        grants = Grants(
            self.engine, tokens(), sessions=self.records.sessions, audit=self.records.audit, refresh_ttl_s=60
        )
        self.lockout = Lockout(self.engine, most=5, most_of_address=6, window_s=900, clock=lambda: self.now)
        self.login = Login(
            self.engine,
            passwords=self.passwords,
            grants=grants,
            sessions=self.records.sessions,
            lockout=self.lockout,
            audit=self.records.audit,
        )

    def user(self, name: str, passwords: Passwords | None = None) -> None:
        """Add a user who has everybody's password."""
        hashed = (passwords or self.passwords).hash(PASSWORD)
        self.admin.add(name, password_hash=hashed, permissions=[Permission.PREDICT])

    def fails(self, name: str, password: str = "wrong horse", address: str = "192.0.2.1") -> int:
        """A login that fails; 0, or in how many seconds to try again."""
        try:
            self.login.grant(name, password, "", address=address)
        except BadCredentials:
            return 0
        except LockedOut as error:
            return error.retry_after_s
        raise AssertionError("it did not fail")


@pytest.fixture
def world(url: str) -> Iterator[World]:
    """A world of either kind of database."""
    engine = connect(url)
    migrate(engine)
    with writing(engine) as session:
        for table in (User, Failure):
            session.execute(delete(table))
    yield World(engine)
    engine.dispose()


def test_whoever_is_refused_costs_the_same(world: World) -> None:
    """Unknown, disabled or wrong: one hash, and the very same statements to the database."""
    world.user("known")
    world.user("off")
    world.admin.disable("off")
    statements: list[str] = []
    event.listen(world.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    costs = []

    for name, password in (("known", "wrong horse"), ("nobody", "wrong horse"), ("off", PASSWORD), ("off", "wrong")):
        statements.clear()
        before = world.passwords.verified
        world.fails(name, password)
        costs.append((world.passwords.verified - before, list(statements)))

    assert costs == [costs[0]] * 4
    assert costs[0][0] == 1
    assert len(costs[0][1]) > 3


@pytest.mark.parametrize("change", ["disable", "remove", "password"])
def test_a_change_while_the_password_is_hashed_is_not_missed(world: World, change: str) -> None:
    """Between the look at the user and the session, anything may happen to the user: then there is no session."""
    name = f"racing.{change}"
    world.user(name)
    changes: dict[str, Callable[[], int]] = {
        "disable": lambda: world.admin.disable(name),
        "remove": lambda: world.admin.remove(name),
        "password": lambda: world.admin.set_password(name, world.passwords.hash("another horse")),
    }
    world.passwords.meanwhile = changes[change]

    assert world.fails(name, PASSWORD) == 0
    assert not world.records.sessions.all(name)


def test_a_login_waits_for_a_change_that_is_being_made(world: World) -> None:
    """While a change of the user is not committed, no session is opened on what was before."""
    world.user("late")
    refused: list[int] = []
    with writing(world.engine) as session:
        user = lock_user(session, "late", "to write")
        assert user is not None
        waiting = threading.Thread(target=lambda: refused.append(world.fails("late", PASSWORD)))
        user.disabled = True
        session.flush()
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
    waiting.join(10)

    assert refused == [0]
    assert not world.records.sessions.all("late")


def test_an_old_hash_is_replaced_at_the_next_login(world: World) -> None:
    """Whoever logs in brings the password, and gets a hash of today's parameters."""
    world.user("old", Passwords(memory_kib=512, passes=1))
    before = world.admin.find("old")

    world.login.grant("old", PASSWORD, "", address="")

    after = world.admin.find("old")
    assert before is not None
    assert after is not None
    assert "m=512," in before.password_hash
    assert "m=1024," in after.password_hash
    assert after.last_login_at is not None
    world.login.grant("old", PASSWORD, "", address="")


def test_a_lock_opens_when_a_failure_is_old_enough(world: World) -> None:
    """The window slides: of five failures the first makes room for one more try, no sooner."""
    for _ in range(5):
        assert world.fails("slow", address="198.51.100.1") == 0
        world.now += 100

    assert world.fails("slow", address="198.51.100.2") == 400
    world.now += 399
    assert world.fails("slow", address="198.51.100.2") == 1
    world.now += 1
    assert world.fails("slow", address="198.51.100.2") == 0
    assert world.fails("slow", address="198.51.100.2") == 100
    world.now += 10_000
    world.lockout.prune()
    assert world.fails("slow", address="198.51.100.2") == 0


def test_a_clock_that_was_ahead_locks_for_one_window(world: World) -> None:
    """Failures that were counted an hour ahead count from the moment that the clock is right again."""
    world.now += 3600
    for _ in range(5):
        assert world.fails("early", address="198.51.100.3") == 0
    world.now -= 3600

    assert world.fails("early", address="198.51.100.4") == 900
    world.now += 450
    assert world.fails("early", address="198.51.100.4") == 450
    world.now += 450
    assert world.fails("early", address="198.51.100.4") == 0


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:203.0.113.5", "203.0.113.5", True),
        ("203.0.113.6", "203.0.113.7", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("", "not an address", True),
    ],
)
def test_an_address_is_what_its_owner_has(world: World, first: str, second: str, is_same: bool) -> None:
    """IPv6 is counted by the network that a customer is given, IPv4 in IPv6 as IPv4."""
    for number in range(6):
        assert world.fails(f"name.{number}", address=first) == 0

    assert (world.fails("name.last", address=second) > 0) == is_same


def test_revocations_that_commit_late_are_seen(world: World) -> None:
    """One that began before a look and is committed after it is found by the next look."""
    if world.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    theirs, ours = world.records.revocations, Revocations(world.engine)
    far = 4_000_000_000.0
    with writing(world.engine) as early:
        theirs.revoke(early, {"early": far})
        with writing(world.engine) as late:
            theirs.revoke(late, {"late": far})
        first = ours.learn(ours.read())
    second = ours.learn(ours.read())

    assert "late" in first
    assert "early" not in first
    assert second == {"early"}
    assert ours.learn(ours.read()) == frozenset()


def test_revocations_are_seen_though_the_clock_was_set_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is revoked after the database's clock was corrected seems older than the last look, and is found."""
    theirs, ours, times = world.records.revocations, Revocations(world.engine), [world.now + 3600]
    monkeypatch.setattr(database, "now", lambda _session: times[-1])
    ours.learn(ours.read())
    times.append(world.now)
    with writing(world.engine) as session:
        theirs.revoke(session, {"behind": 4_000_000_000.0})

    assert ours.learn(ours.read()) == {"behind"}
