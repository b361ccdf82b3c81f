"""Routes that issue, refresh and revoke tokens, in an app without a server."""

from pathlib import Path
from typing import Any

import pytest

from serve.api.deps import PREFIX, REVOKE_PATH, TOKEN_PATH
from serve.auth.principals import Permission
from tests.support.deployment import PASSWORD
from tests.support.in_process import InProcess, served
from tests.support.server import slug

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def revoke(app: InProcess, token: str, *, by: str = "") -> int:
    """Revoke a token on behalf of the bearer of another one, and return the status."""
    answer = await app.call("POST", "/token/revoke", by, data={"token": token})
    return answer.status_code


async def is_valid(app: InProcess, token: str) -> bool:
    """Return whether an access token or API key is accepted."""
    return (await app.call("GET", "/me", token)).status_code == 200


def test_a_login_is_answered_as_oauth_defines(tmp_path: Path) -> None:
    """Both tokens have a duration, and the scope is that of the request."""

    async def test(app: InProcess) -> Any:
        form = {"username": "ada", "password": PASSWORD, "scope": "predict"}
        return (await app.client.post(TOKEN_PATH, data=form)).json()

    answer = served(tmp_path, test, token_ttl_s=600, refresh_ttl_s=1200)

    assert answer.pop("access_token").count(".") == 2
    assert len(answer.pop("refresh_token")) > 20
    assert answer == {"token_type": "Bearer", "expires_in": 600, "scope": "predict", "refresh_expires_in": 1200}


def test_a_refresh_token_is_exchanged_once(tmp_path: Path) -> None:
    """It is replaced by the next one, and the access token belongs to the same session."""

    async def test(app: InProcess) -> tuple[list[int], int]:
        form = {"grant_type": "refresh_token", "refresh_token": (await app.log_in())["refresh_token"]}
        statuses = [(await app.client.post(TOKEN_PATH, data=form)).status_code]
        sessions = len(app.services.records.sessions.all("ada"))
        statuses.append((await app.client.post(TOKEN_PATH, data=form)).status_code)
        return statuses, sessions

    assert served(tmp_path, test) == ([200, 401], 1)


def test_an_invalid_login_is_refused(tmp_path: Path) -> None:
    """Each grant needs its own fields, once each."""
    forms = [
        b"username=ada",
        b"password=x",
        b"username=a+b&password=x",
        b"grant_type=refresh_token&username=ada&password=x",
        b"grant_type=implicit&username=ada&password=x",
        b"username=ada&password=x&password=y",
        b"username=ada&password=" + b"x" * 1025,
    ]

    async def test(app: InProcess) -> list[tuple[int, str]]:
        answers = [await app.client.post(TOKEN_PATH, content=form, headers=FORM) for form in forms]
        wrong = await app.client.post(TOKEN_PATH, data={"username": "ada", "password": "wrong horse"})
        return [(answer.status_code, slug(answer)) for answer in (wrong, *answers)]

    wrong, *others = served(tmp_path, test)

    assert wrong[0] == 401
    assert others == [(400, "invalid-login")] * 7


def test_unknown_fields_may_be_repeated(tmp_path: Path) -> None:
    """OAuth says that a server ignores what it does not know."""

    async def test(app: InProcess) -> int:
        form = f"username=ada&password={PASSWORD.replace(' ', '+')}&client_id=a&client_id=b".encode()
        return (await app.client.post(TOKEN_PATH, content=form, headers=FORM)).status_code

    assert served(tmp_path, test) == 200


@pytest.mark.parametrize("path", [TOKEN_PATH, REVOKE_PATH])
def test_another_media_type_is_refused(tmp_path: Path, path: str) -> None:
    """A login in JSON is not a form."""

    async def test(app: InProcess) -> int:
        return (await app.client.post(path, json={"username": "ada", "password": PASSWORD})).status_code

    assert served(tmp_path, test) == 415


def test_a_bearer_revokes_an_api_key_with_the_key_itself(tmp_path: Path) -> None:
    """No other token is needed."""

    async def test(app: InProcess) -> list[object]:
        keys = app.services.records.api_keys
        key = keys.create("robot", [Permission.PREDICT], life_s=60, who="test")
        before = await is_valid(app, key)
        return [before, await revoke(app, key), await is_valid(app, key)]

    assert served(tmp_path, test) == [True, 200, False]


@pytest.mark.parametrize(("by", "is_ended"), [("", True), ("ada", True), ("bob", False), ("robot", False)])
def test_a_refresh_token_ends_its_session(tmp_path: Path, by: str, is_ended: bool) -> None:
    """No other token is needed, but a request with the token of another caller does not end it."""

    async def test(app: InProcess) -> tuple[int, bool]:
        tokens = await app.log_in()
        caller = {"": "", "robot": app.token(name="ada")}.get(by) if by in {"", "robot"} else None
        caller = (await app.log_in(by))["access_token"] if caller is None else caller
        status = await revoke(app, tokens["refresh_token"], by=caller)
        return status, not await is_valid(app, tokens["access_token"])

    assert served(tmp_path, test) == (200, is_ended)


def test_an_access_token_ends_its_session(tmp_path: Path) -> None:
    """Another session of the same user may do it; one that has ended already stays ended."""

    async def test(app: InProcess) -> list[object]:
        first, second = [(await app.log_in())["access_token"] for _ in range(2)]
        statuses = [await revoke(app, second, by=first) for _ in range(2)]
        return [*statuses, await is_valid(app, first), await is_valid(app, second)]

    assert served(tmp_path, test) == [200, 200, True, False]


def test_a_token_without_a_session_is_revoked_by_its_own_id(tmp_path: Path) -> None:
    """Other tokens of the same key stay valid."""

    async def test(app: InProcess) -> list[object]:
        one, other = app.token(), app.token()
        return [await revoke(app, one, by=one), await is_valid(app, one), await is_valid(app, other)]

    assert served(tmp_path, test) == [200, False, True]


@pytest.mark.parametrize("token", ["of bob", "invalid", "\xe4"])
def test_another_token_is_left_alone(tmp_path: Path, token: str) -> None:
    """The answer does not say whether it was valid."""

    async def test(app: InProcess) -> list[object]:
        theirs = (await app.log_in("bob"))["access_token"]
        status = await revoke(app, theirs if token == "of bob" else token, by=app.token())
        return [status, await is_valid(app, theirs)]

    assert served(tmp_path, test) == [200, True]


@pytest.mark.parametrize("by", ["", "invalid"])
def test_an_access_token_is_revoked_by_authenticated_callers_only(tmp_path: Path, by: str) -> None:
    """A token that is sent for authentication must be valid."""

    async def test(app: InProcess) -> list[object]:
        token = app.token()
        return [await revoke(app, token, by=by), await is_valid(app, token)]

    assert served(tmp_path, test) == [401, True]


def test_an_empty_token_is_refused(tmp_path: Path) -> None:
    """The field is required."""

    async def test(app: InProcess) -> int:
        return (await app.client.post(f"{PREFIX}/token/revoke", data={"token": ""})).status_code

    assert served(tmp_path, test) in {400, 422}
