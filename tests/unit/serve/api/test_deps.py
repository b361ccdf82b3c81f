"""What routes depend on: the authenticated caller, the limits, and the query parameters."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request
from fastapi.exceptions import RequestValidationError

from serve.api.deps import PREFIX, address, parameters_of, refuse_repeated
from serve.auth.principals import Permission
from tests.support.in_process import InProcess, served
from tests.support.server import slug


def call(folder: Path, method: str, path: str, *permissions: Permission, **settings: Any) -> Any:
    """Return the answer to a request with a token of these permissions."""

    async def test(app: InProcess) -> Any:
        return await app.call(method, path, app.token(*permissions))

    return served(folder, test, **settings)


def test_a_request_needs_exactly_one_valid_token(tmp_path: Path) -> None:
    """The answer is a challenge, whatever is wrong; the framework alone would strip more than spaces from a token."""

    async def test(app: InProcess) -> list[tuple[int, str]]:
        valid = b"Bearer " + app.token().encode()
        sent = [[valid], [], [b"Bearer"], [b"Basic YTpi"], [b"Bearer a.b.c"], [valid, valid], [valid + b"\xe4"]]
        answers = [
            await app.client.get(f"{PREFIX}/me", headers=[(b"Authorization", value) for value in values])
            for values in [*sent, [valid + b"\t"]]
        ]
        return [(answer.status_code, answer.headers.get("www-authenticate", "")[:6]) for answer in answers]

    valid, *others = served(tmp_path, test)

    assert valid == (200, "")
    assert others == [(401, "Bearer")] * 7


def test_a_missing_scope_is_named_and_the_request_counted(tmp_path: Path) -> None:
    """A caller without permission cannot send more requests than one with permission."""
    answer = call(tmp_path, "GET", "/models", Permission.PREDICT, rates="read=5/minute")

    assert (answer.status_code, slug(answer)) == (403, "scope-missing")
    assert "models:read" in answer.headers["www-authenticate"]
    assert answer.headers["ratelimit"].startswith('"read";r=4;')


def test_a_request_is_counted_against_the_limit_of_its_route(tmp_path: Path) -> None:
    """Each caller has their own limit, and the headers say what is left."""

    async def test(app: InProcess) -> list[int]:
        token, other = app.token(), app.token(name="bob")
        return [(await app.call("GET", "/me", each)).status_code for each in (token, token, token, other)]

    assert served(tmp_path, test, rates="read=2/minute") == [200, 200, 429, 200]


def test_logins_are_counted_by_address(tmp_path: Path) -> None:
    """They have no token."""

    async def test(app: InProcess) -> list[int]:
        form = {"username": "ada", "password": "wrong horse"}
        return [(await app.client.post(f"{PREFIX}/token", data=form)).status_code for _ in range(3)]

    assert served(tmp_path, test, rates="login=2/minute") == [401, 401, 429]


def test_only_an_authenticated_caller_learns_that_a_path_does_not_exist(tmp_path: Path) -> None:
    """Without a token every path is 401; a request to an unknown path is counted too."""

    async def test(app: InProcess) -> list[Any]:
        answers = [await app.call("GET", path, app.token()) for path in ("/unknown", "/models")]
        anonymous = [await app.call("GET", path) for path in ("/unknown", "/models")]
        assert answers[0].headers["ratelimit"].startswith('"read";')
        return [answer.status_code for answer in (*answers, *anonymous)]

    assert served(tmp_path, test) == [404, 200, 401, 401]


def test_a_token_may_be_optional_but_not_invalid(tmp_path: Path) -> None:
    """A request without a token is anonymous; one with an invalid token is refused."""

    async def test(app: InProcess) -> list[int]:
        form = {"token": (await app.log_in())["refresh_token"]}
        tokens = ["invalid", "", app.token()]
        return [(await app.call("POST", "/token/revoke", token, data=form)).status_code for token in tokens]

    assert served(tmp_path, test) == [401, 200, 200]


@pytest.mark.parametrize(
    ("permissions", "is_open", "status"),
    [
        ([Permission.METRICS_READ], False, 200),
        ([Permission.PREDICT], False, 403),
        ([], False, 401),
        ([], True, 200),
    ],
)
def test_metrics_need_their_scope_unless_they_are_open(
    tmp_path: Path, permissions: list[Permission], is_open: bool, status: int
) -> None:
    """A deployment may let everyone read them."""

    async def test(app: InProcess) -> int:
        headers = {"Authorization": f"Bearer {app.token(*permissions)}"} if permissions else {}
        return (await app.client.get("/metrics", headers=headers)).status_code

    assert served(tmp_path, test, expose="metrics" if is_open else "none") == status


def test_a_repeated_query_parameter_is_refused(tmp_path: Path) -> None:
    """A proxy may have read the other value."""
    answer = call(tmp_path, "POST", "/predict/csv?version=1&version=2")

    assert answer.status_code == 422
    assert "version" in answer.text


@pytest.mark.parametrize(
    ("query", "parameters", "repeated"),
    [
        (b"a=1&a=2&b=&b=", ["a", "b"], ["a", "b"]),
        (b"a=1&a", ["a"], ["a"]),
        (b"a=1&%61=2", ["a"], ["a"]),
        (b"a=1&b=2&c=3&c=4", ["a", "b"], []),
        (b"c=1&c=2", [], []),
        (b"", ["a"], []),
    ],
)
def test_only_parameters_of_the_route_are_checked(query: bytes, parameters: list[str], repeated: list[str]) -> None:
    """Values and spelling make no difference; unknown parameters are refused elsewhere."""
    found: list[str] = []
    try:
        refuse_repeated(query, parameters)
    except RequestValidationError as error:
        found = [mistake["loc"][1] for mistake in error.errors()]

    assert found == repeated


def test_a_request_without_a_route_has_no_parameters() -> None:
    """An unknown path has no dependencies."""
    assert parameters_of(Request({"type": "http"})) == []


@pytest.mark.parametrize(("client", "expected"), [(("192.0.2.1", 5), "192.0.2.1"), (None, "")])
def test_the_address_is_that_of_the_client(client: tuple[str, int] | None, expected: str) -> None:
    """It is empty if it is unknown, as on a Unix socket."""
    assert asyncio.run(address(Request({"type": "http", "client": client}))) == expected


def test_a_computation_leaves_the_event_loop(tmp_path: Path) -> None:
    """It runs in a thread, with all of its arguments."""

    def where(one: int, *, other: int) -> tuple[int, bool]:
        return one + other, threading.current_thread() is threading.main_thread()

    async def test(app: InProcess) -> tuple[int, bool]:
        return await app.services.compute(where, 1, other=2)

    assert served(tmp_path, test) == (3, False)
