"""Routes about the caller: name, sessions and password, in an app without a server."""

from pathlib import Path
from typing import Any

import pytest

from serve.api.deps import PREFIX
from serve.auth.principals import Permission
from tests.support.deployment import PASSWORD
from tests.support.in_process import InProcess, served
from tests.support.server import slug

NEW = "battery staple"


def test_the_caller_is_shown_with_the_scopes_of_the_token(tmp_path: Path) -> None:
    """They may be fewer than those of the user."""

    async def test(app: InProcess) -> Any:
        return (await app.call("GET", "/me", app.token(Permission.PREDICT, Permission.BATCH))).json()

    assert served(tmp_path, test) == {"name": "ada", "scopes": ["batch", "predict"]}


def test_sessions_are_listed_with_the_current_one(tmp_path: Path) -> None:
    """Those of other users are not, and the address of each login is shown."""

    async def test(app: InProcess) -> Any:
        await app.log_in("bob")
        await app.log_in()
        token = (await app.log_in())["access_token"]
        return (await app.call("GET", "/me/sessions", token)).json()["sessions"]

    sessions = served(tmp_path, test)

    assert sorted(session["current"] for session in sessions) == [False, True]
    assert {session["address"] for session in sessions} == {"192.0.2.1"}
    assert sessions[0]["scopes"] == ["batch", "metrics:read", "models:read", "predict"]
    assert sessions[0]["created_at"] <= sessions[0]["used_at"] < sessions[0]["expires_at"]


def test_a_token_without_a_session_has_none(tmp_path: Path) -> None:
    """Its name may be that of a local user, whose sessions it neither sees nor ends."""

    async def test(app: InProcess) -> list[Any]:
        await app.log_in()
        [session] = app.services.records.sessions.all("ada")
        token = app.token()
        listed = await app.call("GET", "/me/sessions", token)
        ended = await app.call("DELETE", f"/me/sessions/{session.id}", token)
        changed = await app.call("PUT", "/me/password", token, json={"old_password": PASSWORD, "new_password": NEW})
        return [listed.json(), slug(ended), slug(changed), len(app.services.records.sessions.all("ada"))]

    assert served(tmp_path, test) == [{"sessions": []}, "session-not-found", "wrong-password", 1]


def test_an_ended_session_has_no_valid_tokens(tmp_path: Path) -> None:
    """Neither its access token nor its refresh token is accepted, and the other session stays."""

    async def test(app: InProcess) -> list[int]:
        first, second = await app.log_in(), await app.log_in()
        sessions = (await app.call("GET", "/me/sessions", first["access_token"])).json()["sessions"]
        [other] = [session["id"] for session in sessions if not session["current"]]
        ended = await app.call("DELETE", f"/me/sessions/{other}", first["access_token"])
        form = {"grant_type": "refresh_token", "refresh_token": second["refresh_token"]}
        return [
            ended.status_code,
            (await app.call("GET", "/me", second["access_token"])).status_code,
            (await app.client.post(f"{PREFIX}/token", data=form)).status_code,
            (await app.call("GET", "/me", first["access_token"])).status_code,
        ]

    assert served(tmp_path, test) == [204, 401, 401, 200]


@pytest.mark.parametrize("id_", ["0" * 32, "a-b", "of bob"])
def test_only_an_own_session_can_be_ended(tmp_path: Path, id_: str) -> None:
    """An unknown id, an invalid one and one of another user are the same error."""

    async def test(app: InProcess) -> tuple[int, str]:
        await app.log_in("bob")
        [theirs] = app.services.records.sessions.all("bob")
        token = (await app.log_in())["access_token"]
        path = f"/me/sessions/{theirs.id if id_ == 'of bob' else id_}"
        answer = await app.call("DELETE", path, token)
        assert len(app.services.records.sessions.all("bob")) == 1
        return answer.status_code, slug(answer)

    assert served(tmp_path, test) == (404, "session-not-found")


def test_a_changed_password_ends_the_other_sessions(tmp_path: Path) -> None:
    """The session of the request stays, and the old password is wrong from now on."""

    async def test(app: InProcess) -> list[int]:
        first, second = await app.log_in(), await app.log_in()
        change = {"old_password": PASSWORD, "new_password": NEW}
        answers = [
            await app.call("PUT", "/me/password", first["access_token"], json=change),
            await app.call("GET", "/me", first["access_token"]),
            await app.call("GET", "/me", second["access_token"]),
            await app.call("PUT", "/me/password", first["access_token"], json=change),
            await app.client.post(f"{PREFIX}/token", data={"username": "ada", "password": NEW}),
        ]
        return [answer.status_code for answer in answers]

    assert served(tmp_path, test) == [204, 200, 401, 403, 200]


@pytest.mark.parametrize("change", [{}, {"old_password": PASSWORD, "new_password": "short"}, {"old_password": 1}])
def test_an_invalid_change_of_the_password_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    """Fields are required, and a new password has a least length."""

    async def test(app: InProcess) -> int:
        token = (await app.log_in())["access_token"]
        return (await app.call("PUT", "/me/password", token, json=change)).status_code

    assert served(tmp_path, test) == 422
