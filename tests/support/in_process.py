"""The whole app in this process: its real services and a database, without a server and without starting processes."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import httpx2
from fastapi import FastAPI
from pydantic import SecretStr

from serve.api.deps import PREFIX, Services
from serve.app.root import create_app
from serve.auth.passwords import Passwords
from serve.auth.principals import ALL_PERMISSIONS, Permission
from serve.auth.security_store import SecurityStore
from serve.inference.registry import Registry, ServedModel
from serve.settings import Settings
from serve.storage.database import connect, migrate
from tests.support.deployment import PASSWORD

T = TypeVar("T")


@dataclass
class InProcess:
    """One app with the users ada and bob, who may do everything, and a client with an address."""

    asgi: Any
    client: httpx2.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        transport = httpx2.ASGITransport(app=self.asgi, client=("192.0.2.1", 1), raise_app_exceptions=False)
        self.client = httpx2.AsyncClient(transport=transport, base_url="http://sepal")

    @property
    def app(self) -> FastAPI:
        """The app without its outer layers."""
        app: FastAPI = self.asgi._app._app
        return app

    @property
    def services(self) -> Services:
        """What its routes depend on."""
        services: Services = self.app.state.services
        return services

    async def log_in(self, name: str = "ada") -> dict[str, Any]:
        """Return the tokens of a new session."""
        answer = await self.client.post(f"{PREFIX}/token", data={"username": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    def token(self, *permissions: Permission, name: str = "ada") -> str:
        """Return a token without a session, by default with all permissions."""
        return self.services.tokens.issue(name, permissions or ALL_PERMISSIONS).token

    async def call(self, method: str, path: str, token: str = "", **more: Any) -> httpx2.Response:
        """Send a request to a path of the API, with a token."""
        headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **more.pop("headers", {})}
        return await self.client.request(method, f"{PREFIX}{path}", headers=headers, **more)


def served(state: Path, test: Callable[[InProcess], Awaitable[T]], *models: ServedModel, **settings: Any) -> T:
    """Run a test with an app that has these models and settings, and a new database in this folder."""
    assert settings.keys() <= Settings.model_fields.keys()

    async def run() -> T:
        registry = Registry()
        registry.replace(models)
        made = Settings(_env_file=None, state=state, secret_key=SecretStr("x" * 32), **settings)
        running = InProcess(create_app(made, registry=registry))
        running.services.records.revocations.start()
        try:
            async with running.client:
                return await test(running)
        finally:
            running.services.threads.close()
            running.services.observers.close()
            running.services.records.engine.dispose()

    (state / "sepal.db").write_bytes(_database())
    return asyncio.run(run())


@cache
def _database() -> bytes:
    """Return a SQLite file with the users, made once per process."""
    hashed = Passwords(memory_kib=1024, passes=1).hash(PASSWORD)
    with TemporaryDirectory() as folder:
        file = Path(folder, "sepal.db")
        engine = connect(f"sqlite:///{file}")
        migrate(engine)
        admin = SecurityStore(engine, audit_days=0).user_admin("test")
        for name in ("ada", "bob"):
            admin.add(name, password_hash=hashed, permissions=list(ALL_PERMISSIONS))
        engine.dispose()
        return file.read_bytes()
