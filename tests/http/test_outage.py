"""A database that is stopped, or does not answer: what continues, what is refused, and that all of it recovers."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from serve.auth.principals import Permission
from tests.support import postgres
from tests.support.deployment import PASSWORD, Deployment, deployed, within
from tests.support.keys import SECRET
from tests.support.server import Server, environment, free_port, run, slug

ROWS = {"instances": [[5.1, 3.5, 1.4, 0.2]]}
HEALED_S = 10.0


@pytest.fixture(scope="module")
def outage(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Deployment, postgres.Running]]:
    """A server with a PostgreSQL of its own, which tests may stop."""
    binaries = postgres.find_binaries()
    if binaries is None:
        assert "SEPAL_TEST_EVERYTHING" not in os.environ, "PostgreSQL is not installed"
        pytest.skip("PostgreSQL is not installed")
    with postgres.started(binaries) as database:
        env = environment(
            artifacts=store,
            state=tmp_path_factory.mktemp("outage"),
            database_url=database.url,
            secret_key=SECRET,
            environment="production",
            log_format="json",
            lockout="200/15minutes",
        )
        with Server(env) as server, deployed(database.url, [server]) as deployment:
            yield deployment, database


def predict(deployment: Deployment, bearer: str) -> int:
    """Return the status of a prediction."""
    return deployment.ask("POST", "/predict", token=bearer, json=ROWS).status_code


def assert_refused(answer: httpx2.Response, began: float) -> None:
    """Check for 503 within seconds, with Retry-After."""
    assert (answer.status_code, slug(answer)) == (503, "database-unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("how", ["stopped", "suspended"])
def test_predictions_go_on_without_the_database(outage: tuple[Deployment, postgres.Running], how: str) -> None:
    """Tokens, known keys and known revocations stay effective; what needs the database is 503 until it is back."""
    deployment, database = outage
    name = deployment.user(f"ada.{how}")
    granted, unused, out = deployment.tokens(name), deployment.tokens(name), deployment.tokens(name)["access_token"]
    keys = deployment.records.api_keys
    known, unknown = (keys.create("robot", [Permission.PREDICT], life_s=600, who="test") for _ in range(2))
    assert predict(deployment, known) == predict(deployment, granted["access_token"]) == 200
    assert deployment.ask("POST", "/token/revoke", token=out, data={"token": out}).status_code == 200

    with database.without(how):
        began = time.monotonic()
        # One is remembered, the other is verified for the first time.
        assert predict(deployment, granted["access_token"]) == predict(deployment, unused["access_token"]) == 200
        assert (predict(deployment, known), predict(deployment, out)) == (200, 401)
        assert time.monotonic() - began < 2
        calls: tuple[Callable[[], httpx2.Response], ...] = (
            lambda: deployment.login(name),
            lambda: deployment.refresh(granted["refresh_token"]),
            lambda: deployment.ask("GET", "/me", token=unknown),
            lambda: deployment.ask("GET", "/me/sessions", token=granted["access_token"]),
        )
        for refused in calls:
            began = time.monotonic()
            assert_refused(refused(), began)
        assert deployment.client.get(f"http://127.0.0.1:{deployment.servers[0].port}/health/live").status_code == 200

    assert within(HEALED_S, lambda: deployment.login(name, PASSWORD).status_code == 200)
    assert deployment.refresh(granted["refresh_token"]).status_code == 200
    assert predict(deployment, unknown) == 200
    assert "Traceback" not in deployment.servers[0].log.read_text()


def test_a_start_without_the_database_fails(store: Path, tmp_path: Path) -> None:
    """The error is one line that names the setting, without its value, and the exit code is 2."""
    url = f"postgresql+psycopg://sepal:hidden@127.0.0.1:{free_port()}/sepal"
    env = environment(artifacts=store, state=tmp_path, database_url=url)

    for line in (["run"], ["users", "list"]):
        ended = run("serve", *line, env=env)

        assert (ended.returncode, ended.stdout) == (2, "")
        assert len(ended.stderr.splitlines()) == 1
        assert "the database does not answer" in ended.stderr
        assert "hidden" not in ended.stderr
