"""Two servers over one database, and clients with addresses of their own."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Any

import httpx2
from sqlalchemy import Engine

from serve.auth.passwords import Passwords
from serve.auth.principals import ALL_PERMISSIONS, Permission
from serve.auth.security_store import SecurityStore
from serve.auth.user_admin import UserAdmin
from serve.storage.database import connect
from tests.support.server import Server

PASSWORD = "correct horse battery"
# A revocation in one process is effective in all others by then.
EVERYWHERE_S = 5.0

_numbers = count()


@cache
def hashed() -> str:
    """The hash of the common password."""
    return Passwords().hash(PASSWORD)


@dataclass
class Deployment:
    """Servers over one database; each request may choose one."""

    servers: Sequence[Server]
    engine: Engine
    number: int = field(default_factory=lambda: next(_numbers))

    def __post_init__(self) -> None:
        self.address = f"127.0.{self.number // 250}.{self.number % 250 + 2}"
        self.records = SecurityStore(self.engine, audit_days=0)
        self.admin: UserAdmin = self.records.user_admin("os:test")
        transport = httpx2.HTTPTransport(local_address=self.address)
        self.client = httpx2.Client(transport=transport, timeout=30)

    def ask(self, method: str, path: str, *, server: int = 0, token: str = "", **more: Any) -> httpx2.Response:
        """Send a request from this deployment's address."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"http://127.0.0.1:{self.servers[server].port}/api/v1{path}"
        return self.client.request(method, url, headers=headers, **more)

    def user(
        self, name: str, *, permissions: Sequence[Permission] = tuple(ALL_PERMISSIONS), roles: Sequence[str] = ()
    ) -> str:
        """Add a user and return the name."""
        self.admin.add(name, password_hash=hashed(), permissions=permissions, roles=roles)
        return name

    def login(self, name: str, password: str = PASSWORD, *, server: int = 0, **more: str) -> httpx2.Response:
        """Log in."""
        return self.ask("POST", "/token", server=server, data={"username": name, "password": password, **more})

    def tokens(self, name: str, *, server: int = 0) -> dict[str, Any]:
        """Return the tokens of a login."""
        answer = self.login(name, server=server)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def refresh(self, token: str, *, server: int = 0, **more: str) -> httpx2.Response:
        """Use a refresh token."""
        form = {"grant_type": "refresh_token", "refresh_token": token, **more}
        return self.ask("POST", "/token", server=server, data=form)

    def me(self, token: str, *, server: int = 0) -> int:
        """Return the status of a request with this token."""
        return self.ask("GET", "/me", server=server, token=token).status_code

    def events(self, user: str) -> list[str]:
        """Return the events of a user in the audit."""
        return [entry.event for entry in self.records.audit.last(1000, user=user)]

    def at_once(self, number: int, call: Callable[[int], httpx2.Response]) -> list[httpx2.Response]:
        """Make concurrent calls."""
        with ThreadPoolExecutor(number) as pool:
            return list(pool.map(call, range(number)))


@contextmanager
def deployed(url: str, servers: Sequence[Server]) -> Iterator[Deployment]:
    """Clients of these servers."""
    engine = connect(url)
    deployment = Deployment(servers, engine)
    try:
        yield deployment
    finally:
        deployment.client.close()
        engine.dispose()


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    """Return whether a condition becomes true in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
