"""Logins: refused ones take the same work, and no concurrent change of a user is missed."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import event

from serve.auth.passwords import Passwords
from serve.auth.users import lock_user
from serve.storage.database import writing
from tests.support.deployment import PASSWORD
from tests.support.login import World


def test_refused_logins_take_the_same_work(world: World) -> None:
    """An unknown name, a disabled user and a wrong password take one hash and the same statements each."""
    world.user("known")
    world.user("off")
    world.admin.disable("off")
    statements: list[str] = []
    event.listen(world.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    costs = []

    for name, password in (("known", "wrong horse"), ("unknown", "wrong horse"), ("off", PASSWORD), ("off", "wrong")):
        statements.clear()
        before = world.passwords.verified
        world.fails(name, password)
        costs.append((world.passwords.verified - before, list(statements)))

    assert costs == [costs[0]] * 4
    assert costs[0][0] == 1
    assert len(costs[0][1]) > 3


@pytest.mark.parametrize("change", ["disable", "remove", "password"])
def test_a_change_during_the_hash_prevents_the_session(world: World, change: str) -> None:
    """A user who is changed after their hash was read gets no session."""
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


def test_a_login_waits_for_an_uncommitted_change(world: World) -> None:
    """While a change of the user is not committed, no session is opened on the state before it."""
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
    """A login stores a new hash if the old one has other parameters than new hashes have."""
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
