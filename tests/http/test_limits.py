"""Rate limits over HTTP, with one server and with several."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support import tuned_server
from tests.support.redis_server import Redis
from tests.support.server import Api, Server, environment, run, slug

ROW = [5.1, 3.5, 1.4, 0.2]
CSV = b"sepal_length,sepal_width,petal_length,petal_width\n" + b"5.1,3.5,1.4,0.2\n" * 20
SECRET = "s" * 20 + "t" * 28


@pytest.fixture(scope="module")
def limited(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with small limits that trusts a proxy on this machine and allows the pages of one origin."""
    env = environment(
        artifacts=store,
        state=tmp_path_factory.mktemp("state"),
        rates={"predict": "6/day", "batch": "2/day", "read": "3/day", "login": "6/day", "rows": "50/day"},
        lockout="1/hour",
        trusted_proxies='["127.0.0.1"]',
        cors_origins='["https://pages.example"]',
        log_format="json",
    )
    with Server(env) as running:
        yield running


def login(server: Server, address: str, password: str = "", user: str = "developer") -> httpx2.Response:
    """Log in from an address that a proxy reports."""
    form = {"username": user, "password": password or server.password}
    return server.client.post("/api/v1/token", data=form, headers={"X-Forwarded-For": address})


@pytest.fixture
def token(limited: Server) -> dict[str, str]:
    """A token that needed no login."""
    printed = run("serve", "token", env=limited.env)
    return {"Authorization": f"Bearer {printed.stdout.strip()}"}


def test_predictions_uploads_and_rows_have_limits(limited: Server, token: dict[str, str]) -> None:
    """Each is counted separately, on the fast path and through the routes, and refusals have `Retry-After`."""
    api = Api(limited, token)
    first = api.predict([ROW])
    others = [api.predict([ROW] * 2, on_error="report"), api.predict([{"sepal_length": 1}]), api.predict([ROW] * 45)]
    uploads = [api.post_csv(CSV) for _ in range(2)]
    too_many_rows = [api.predict([ROW] * 30), api.predict([ROW] * 30, probabilities="false")]
    too_often = [api.predict([ROW]), api.predict([ROW], probabilities="false")]
    uploaded_too_often = api.post_csv(CSV)

    assert first.headers["ratelimit-policy"] == '"predict";q=6;w=86400, "rows";q=50;w=86400'
    assert first.headers["ratelimit"].startswith('"predict";r=5;t=')
    assert ', "rows";r=49;t=' in first.headers["ratelimit"]
    assert [answer.status_code for answer in others] == [200, 422, 200]
    # Three rows before, 45 here; two were left, and this upload was let in.
    assert [answer.status_code for answer in uploads] == [200, 429]
    assert uploads[0].text.count("setosa") >= 20
    for refused in (uploads[1], *too_many_rows, *too_often, uploaded_too_often):
        assert (refused.status_code, slug(refused)) == (429, "rate-exceeded")
        assert 0 < int(refused.headers["retry-after"]) <= 86_400
        assert "ratelimit" in refused.headers
    assert all("'rows' is 50" in answer.json()["detail"] for answer in (uploads[1], *too_many_rows))
    assert all("'predict' is 6" in answer.json()["detail"] for answer in too_often)
    assert "'batch' is 2" in uploaded_too_often.json()["detail"]


def test_everything_else_has_a_limit(limited: Server, token: dict[str, str]) -> None:
    """Reading routes share a limit; health checks are never refused."""
    api = Api(limited, token)

    statuses = [api.get(path).status_code for path in ("/api/v1/me", "/api/v1/models", "/metrics", "/api/v1/me")]

    assert statuses == [200, 200, 200, 429]
    assert [api.get("/health/live").status_code for _ in range(5)] == [200] * 5


def test_logins_are_counted_by_address(limited: Server) -> None:
    """All logins of an address, or of an IPv6 network, share a limit, whether they succeed or not."""
    first = [login(limited, "192.0.2.1").status_code for _ in range(7)]
    other = login(limited, "192.0.2.2").status_code
    mapped = login(limited, "::ffff:192.0.2.1").status_code
    network = [login(limited, f"2001:db8::{number}").status_code for number in range(7)]
    beyond = login(limited, "2001:db8:0:1::1").status_code

    assert first == [200] * 6 + [429]
    assert (other, mapped) == (200, 429)
    assert network == [200] * 6 + [429]
    assert beyond == 200


def test_failures_are_counted_by_network(limited: Server) -> None:
    """Wrong passwords from one IPv6 network lock out only that network; the audit has the exact address."""
    wrong = [login(limited, f"2001:db8:8::{number}", "wrong horse", f"unknown{number}") for number in range(6)]
    other = login(limited, "2001:db8:9::1")
    audit = run("serve", "audit", "--last", "20", env=limited.env).stdout

    assert [answer.status_code for answer in wrong] == [401] * 5 + [429]
    assert slug(wrong[5]) == "locked-out"
    assert other.status_code == 200
    assert '"2001:db8:8::1"' in audit
    assert '"2001:db8:9::1"' in audit


def test_refused_requests_are_counted(limited: Server) -> None:
    """Requests that are 404 or 403 count against the limit too."""
    key = run("serve", "keys", "create", "walker", "--scopes", "batch", env=limited.env).stdout.strip()
    api = Api(limited, {"Authorization": f"Bearer {key}"})

    statuses = [
        api.get("/api/v1/nothing").status_code,
        api.predict([ROW]).status_code,
        api.get("/api/v1/x").status_code,
    ]

    assert statuses == [404, 403, 404]
    assert [api.get("/api/v1/nothing").status_code, api.predict([ROW]).status_code] == [429, 429]


@pytest.mark.parametrize("how", ["the setting", "the option"])
def test_workers_share_a_limit(store: Path, tmp_path: Path, how: str) -> None:
    """However the number of workers is set, each one reports its share."""
    env = environment(
        artifacts=store, state=tmp_path, rates={"predict": "10/day"}, **({"workers": 2} if how == "the setting" else {})
    )

    with Server(env, [] if how == "the setting" else ["--workers", "2"]) as server:
        policy = Api(server, server.bearer()).predict([ROW]).headers["ratelimit-policy"]

    assert policy == '"predict";q=5;w=86400'


def test_a_limit_can_be_off(store: Path, tmp_path: Path) -> None:
    """`off` is no limit, and responses have no header of it."""
    with Server(environment(artifacts=store, state=tmp_path, rates={"predict": "off"})) as server:
        answer = Api(server, server.bearer()).predict([ROW])

    assert answer.status_code == 200
    assert "ratelimit" not in answer.headers


def test_only_pages_of_named_origins_are_allowed(limited: Server, api: Api) -> None:
    """A page of a named origin is allowed without cookies; other pages get no CORS header."""
    ask = {"Origin": "https://pages.example", "Access-Control-Request-Method": "POST"}
    preflight = limited.client.options("/api/v1/predict", headers=ask)
    stranger = limited.client.options("/api/v1/predict", headers={**ask, "Origin": "https://evil.example"})
    closed = api.server.client.options("/api/v1/predict", headers={**ask, **api.headers})
    answered = api.get("/api/v1/me")

    assert preflight.headers["access-control-allow-origin"] == "https://pages.example"
    assert "access-control-allow-credentials" not in preflight.headers
    assert "access-control-allow-origin" not in stranger.headers
    assert closed.status_code == 405
    assert not [name for name in (*closed.headers, *answered.headers) if name.startswith("access-control")]


def test_a_forwarded_address_is_accepted_from_proxies_only(server: Server) -> None:
    """Without a trusted proxy, X-Forwarded-For is ignored."""
    id_ = {"X-Request-ID": "forwarded-without-a-proxy"}

    server.client.get("/api/v1/me", headers={"X-Forwarded-For": "192.0.2.77", **id_})

    assert server.line("forwarded-without-a-proxy")["client"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("setting", "value", "complaint"),
    [
        ("cors_origins", '["*"]', "SEPAL_CORS_ORIGINS: * allows every page"),
        ("trusted_proxies", '["*"]', "SEPAL_TRUSTED_PROXIES"),
        ("rates", {"predict": "often"}, "SEPAL_RATES: expected name=rate pairs"),
        ("rates", {"rows": "0/minute"}, "SEPAL_RATES"),
        ("lockout", "off", "SEPAL_LOCKOUT"),
        ("redis_url", "http://short'", "SEPAL_REDIS_URL"),
    ],
)
def test_an_invalid_limit_prevents_the_start(tmp_path: Path, setting: str, value: Any, complaint: str) -> None:
    """Production does not start with open origins or proxies, or with an invalid limit."""
    env = environment(environment="production", state=tmp_path, **{"secret_key": SECRET, setting: value})

    ended = run("serve", "run", env=env)

    assert ended.returncode == 2
    assert complaint in ended.stderr
    assert "short'" not in ended.stderr


def test_servers_share_a_limit_and_outlive_its_redis(store: Path, tmp_path: Path, redis: Redis) -> None:
    """
    Two servers with one Redis count together.

    Lost, predictions go on under a share each and without delay, logins do not; when it is back, they count together
    again.
    """
    env = environment(
        artifacts=store,
        state=tmp_path,
        redis_url=redis.url,
        replicas=2,
        rates={"predict": "40/day", "login": "100/day"},
        log_format="json",
    )
    patient = partial(Server, tuned_server.tuned(env, redis_wait_s=0.5), command=tuned_server.COMMAND)
    with patient() as one, patient() as other:
        bearer = one.bearer()
        first, second = Api(one, bearer), Api(other, bearer)
        before = [api.predict([ROW]).status_code for _ in range(5) for api in (first, second)]
        with redis.held():
            start = time.monotonic()
            apart = [second.predict([ROW]).status_code for _ in range(25)]
            took_s = time.monotonic() - start
            logged_in = login(one, "192.0.2.1")
        await_logins(one)
        await_logins(other)
        together = [api.predict([ROW]).status_code for _ in range(16) for api in (first, second)]

    assert set(before) == {200}
    # Half of forty, five of which were used before.
    assert apart == [200] * 15 + [429] * 10
    assert took_s < 2
    assert (logged_in.status_code, slug(logged_in)) == (503, "limits-unavailable")
    assert "retry-after" in logged_in.headers
    # Ten of the forty were used before, and one more if the call of Redis that timed out was counted.
    assert 29 <= together.count(200) <= 30
    assert together[-2:] == [429, 429]
    assert one.line("redis does not answer")


def await_logins(server: Server) -> None:
    """Wait until the server uses Redis again."""
    deadline = time.monotonic() + 10
    while login(server, "192.0.2.1").status_code == 503:
        assert time.monotonic() < deadline, "it does not heal"
        time.sleep(0.1)
