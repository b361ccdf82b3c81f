"""Sessions, revocation, lock-out and API keys, on two servers over one SQLite or PostgreSQL database."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from serve.auth.passwords import Passwords
from serve.auth.principals import Permission
from tests.support.deployment import EVERYWHERE_S, PASSWORD, Deployment, deployed, within
from tests.support.keys import SECRET
from tests.support.server import Server, environment, slug


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def servers(
    request: pytest.FixtureRequest, store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, list[Server]]]:
    """Two servers, and the URL of their database."""
    state = tmp_path_factory.mktemp("people")
    is_sqlite = request.param == "sqlite"
    url = f"sqlite:///{state / 'sepal.db'}" if is_sqlite else request.getfixturevalue("postgres_url")
    env = environment(
        artifacts=store,
        state=state,
        database_url=url,
        secret_key=SECRET,
        environment="production",
        log_format="json",
    )
    with ExitStack() as stack:
        yield url, [stack.enter_context(Server(env)) for _ in range(2)]


@pytest.fixture
def deployment(servers: tuple[str, list[Server]]) -> Iterator[Deployment]:
    """Both servers, called from an address that no other test uses."""
    with deployed(*servers) as found:
        yield found


@pytest.fixture
def ada(deployment: Deployment) -> str:
    """A user of this test only."""
    return deployment.user(f"ada.{deployment.number}")


def assert_ended(deployment: Deployment, granted: dict[str, str]) -> None:
    """Check that the refresh token is invalid at once and the access token within seconds, on all servers."""
    for server in range(2):
        assert deployment.refresh(granted["refresh_token"], server=server).json()["error"] == "invalid_grant"
    for server in range(2):
        assert within(EVERYWHERE_S, lambda server=server: deployment.me(granted["access_token"], server=server) == 401)  # type: ignore[misc]


def test_a_refresh_token_is_exchanged_for_the_next(deployment: Deployment, ada: str) -> None:
    """Each use returns an access token and a new refresh token, with at most the scopes of the session."""
    first = deployment.tokens(ada)

    second = deployment.refresh(first["refresh_token"], server=1, scope="predict").json()
    wider = deployment.refresh(second["refresh_token"], scope="predict everything")
    third = deployment.refresh(second["refresh_token"]).json()

    assert second["scope"] == "predict"
    assert (wider.status_code, wider.json()["error"]) == (400, "invalid_scope")
    assert third["scope"] == first["scope"]
    assert deployment.me(third["access_token"], server=1) == 200
    assert len({tokens["refresh_token"] for tokens in (first, second, third)}) == 3


def test_a_refresh_token_that_is_used_twice_ends_its_session(deployment: Deployment, ada: str) -> None:
    """Thief and user both have to log in again, and the audit has the replay."""
    first = deployment.tokens(ada)
    second = deployment.refresh(first["refresh_token"]).json()

    replayed = deployment.refresh(first["refresh_token"], server=1)

    assert (replayed.status_code, slug(replayed)) == (401, "grant-refused")
    assert replayed.json()["error"] == "invalid_grant"
    assert_ended(deployment, second)
    assert deployment.me(first["access_token"]) == 401
    assert "refresh-replayed" in deployment.events(ada)


def test_of_fifty_uses_at_once_one_succeeds(deployment: Deployment, ada: str) -> None:
    """One use succeeds, on whichever server, and then the session ends."""
    token = deployment.tokens(ada)["refresh_token"]

    answers = deployment.at_once(50, lambda number: deployment.refresh(token, server=number % 2))

    [granted] = [answer.json() for answer in answers if answer.status_code == 200]
    assert {answer.status_code for answer in answers} == {200, 401}
    assert_ended(deployment, granted)
    assert deployment.events(ada).count("refresh-replayed") == 1


def test_access_and_refresh_tokens_are_not_interchangeable(deployment: Deployment, ada: str) -> None:
    """An access token cannot refresh, a refresh token cannot authenticate, and other texts can do neither."""
    granted = deployment.tokens(ada)

    assert deployment.me(granted["refresh_token"]) == 401
    assert deployment.refresh(granted["access_token"]).status_code == 401
    assert deployment.refresh("x" * 43).status_code == 401
    assert deployment.refresh("").json()["error"] == "invalid_request"
    assert deployment.me(granted["access_token"]) == 200


def test_a_logout_is_effective_everywhere(deployment: Deployment, ada: str) -> None:
    """The token is refused on this server at once, on others within seconds, and by a server that starts later."""
    granted, kept = deployment.tokens(ada), deployment.tokens(ada)
    token = granted["access_token"]
    assert [deployment.me(token, server=server) for server in range(2)] == [200, 200]

    out = deployment.ask("POST", "/token/revoke", token=token, data={"token": token})

    assert (out.status_code, deployment.me(token)) == (200, 401)
    assert_ended(deployment, granted)
    assert deployment.me(kept["access_token"], server=1) == 200
    with Server(deployment.servers[0].env) as fresh, deployed(str(deployment.engine.url), [fresh]) as after:
        assert after.me(token) == 401
        assert after.me(kept["access_token"]) == 200


def test_a_refresh_token_is_enough_to_log_out(deployment: Deployment, ada: str) -> None:
    """A refresh token ends its session without an access token; an unknown token is no error."""
    granted = deployment.tokens(ada)

    out = deployment.ask("POST", "/token/revoke", data={"token": granted["refresh_token"], "token_type_hint": "x"})
    again = deployment.ask("POST", "/token/revoke", data={"token": granted["refresh_token"]}, token="")
    unknown = deployment.ask("POST", "/token/revoke", data={"token": "x"}, token=deployment.tokens(ada)["access_token"])

    assert (out.status_code, again.status_code, unknown.status_code) == (200, 401, 200)
    assert_ended(deployment, granted)


def test_a_user_cannot_end_sessions_of_others(deployment: Deployment, ada: str) -> None:
    """The token of another user is not revoked, and their session is 404."""
    hers = deployment.tokens(ada)
    eve = deployment.tokens(deployment.user(f"eve.{ada}"))["access_token"]
    [listed] = deployment.ask("GET", "/me/sessions", token=hers["access_token"]).json()["sessions"]

    for token in (hers["access_token"], hers["refresh_token"]):
        assert deployment.ask("POST", "/token/revoke", token=eve, data={"token": token}).status_code == 200
        assert deployment.ask("POST", "/token/revoke", token="garbage", data={"token": token}).status_code == 401
    assert deployment.ask("POST", "/token/revoke", data={"token": hers["access_token"]}).status_code == 401
    for id_ in (listed["id"], "0" * 32, "%27", "a" * 65, "%00", "..", "1"):
        answer = deployment.ask("DELETE", f"/me/sessions/{id_}", token=eve)
        assert answer.status_code in {404, 405, 422}, id_
    assert deployment.me(hers["access_token"]) == 200
    assert deployment.refresh(hers["refresh_token"]).status_code == 200


def test_users_list_and_end_their_own_sessions(deployment: Deployment, ada: str) -> None:
    """The list marks the current session; ending another one leaves it open."""
    here, there = deployment.tokens(ada), deployment.tokens(ada, server=1)

    listed = deployment.ask("GET", "/me/sessions", token=here["access_token"]).json()["sessions"]
    [other] = [session["id"] for session in listed if not session["current"]]
    ended = deployment.ask("DELETE", f"/me/sessions/{other}", token=here["access_token"])

    assert [session["address"] for session in listed] == [deployment.address] * 2
    assert ended.status_code == 204
    assert_ended(deployment, there)
    assert deployment.me(here["access_token"]) == 200
    assert deployment.ask("DELETE", f"/me/sessions/{other}", token=here["access_token"]).status_code == 404


@pytest.mark.parametrize("change", ["remove", "disable", "password", "scopes", "role", "role removed", "logged out"])
def test_a_loss_of_rights_ends_all_sessions(deployment: Deployment, change: str) -> None:
    """A change that takes something away ends the sessions of this user on all servers, and of no other user."""
    word = change.replace(" ", "-")
    deployment.admin.add_role(f"role-{word}", [Permission.PREDICT, Permission.BATCH])
    name = deployment.user(
        f"lost.{word}", permissions=[Permission.MODELS_READ, Permission.METRICS_READ], roles=[f"role-{word}"]
    )
    other = deployment.tokens(deployment.user(f"kept.{word}"))
    granted = deployment.tokens(name)
    people = deployment.admin
    changes = {
        "remove": lambda: people.remove(name),
        "disable": lambda: people.disable(name),
        "password": lambda: people.set_password(name, Passwords().hash("another horse")),
        "scopes": lambda: people.set(name, permissions=[Permission.MODELS_READ]),
        "role": lambda: people.set_role(f"role-{word}", [Permission.PREDICT]),
        "role removed": lambda: people.remove_role(f"role-{word}"),
        "logged out": lambda: people.log_out(name),
    }

    assert changes[change]() == 1

    assert_ended(deployment, granted)
    assert deployment.me(other["access_token"], server=1) == 200
    is_gone = change in {"remove", "disable", "password"}
    again = deployment.login(name)
    assert again.status_code == (401 if is_gone else 200)
    if change == "disable":
        people.enable(name)
        assert deployment.login(name).status_code == 200
    if change in {"scopes", "role", "role removed"}:
        assert set(again.json()["scope"].split()) < set(granted["scope"].split())


def test_a_gain_of_rights_ends_no_session(deployment: Deployment, ada: str) -> None:
    """New scopes and roles end no session and are granted at the next login."""
    name = deployment.user(f"{ada}.less", permissions=[Permission.PREDICT])
    granted = deployment.tokens(name)

    assert deployment.admin.set(name, permissions=[Permission.PREDICT, Permission.BATCH], roles=["operator"]) == 0

    assert deployment.me(granted["access_token"], server=1) == 200
    assert deployment.refresh(granted["refresh_token"]).json()["scope"] == "predict"
    assert len(deployment.tokens(name)["scope"].split()) == 4


def test_a_new_password_ends_the_other_sessions(deployment: Deployment, ada: str) -> None:
    """The old password is required, the current session stays, the others end, and only the new password is valid."""
    here, there = deployment.tokens(ada), deployment.tokens(ada)
    token, change = here["access_token"], {"old_password": PASSWORD, "new_password": "another horse"}

    wrong = deployment.ask("PUT", "/me/password", token=token, json={**change, "old_password": "wrong"})
    short = deployment.ask("PUT", "/me/password", token=token, json={**change, "new_password": "short"})
    done = deployment.ask("PUT", "/me/password", token=token, json=change)

    assert (wrong.status_code, slug(wrong)) == (403, "wrong-password")
    assert (short.status_code, done.status_code) == (422, 204)
    assert_ended(deployment, there)
    assert deployment.me(token, server=1) == 200
    assert deployment.login(ada).status_code == 401
    assert deployment.login(ada, "another horse").status_code == 200


def statuses(answers: list[httpx2.Response]) -> list[int]:
    """Return the statuses of responses, in order."""
    return sorted(answer.status_code for answer in answers)


@pytest.mark.parametrize("exists", [True, False])
def test_the_sixth_wrong_password_locks_out_a_name(deployment: Deployment, ada: str, exists: bool) -> None:
    """Attempts on all servers are counted together, for unknown names too, and then the right password is refused."""
    name = ada if exists else f"{ada}.unknown"

    wrong = [deployment.login(name, "wrong horse", server=number % 2).status_code for number in range(5)]
    locked = [deployment.login(name, password, server=1) for password in ("wrong horse", PASSWORD)]

    assert wrong == [401] * 5
    assert [(answer.status_code, slug(answer)) for answer in locked] == [(429, "locked-out")] * 2
    assert 0 < int(locked[0].headers["retry-after"]) <= 900
    assert locked[0].json() | {"instance": ""} == locked[1].json() | {"instance": ""}
    assert deployment.login(deployment.user(f"{ada}.other.{exists}")).status_code == 200
    assert deployment.events(name).count("locked-out") == 1


def test_fifty_wrong_passwords_at_once_are_five(deployment: Deployment, ada: str) -> None:
    """A name has five attempts, however many are concurrent and on whichever server."""
    answers = deployment.at_once(50, lambda number: deployment.login(ada, "wrong horse", server=number % 2))

    assert statuses(answers) == [401] * 5 + [429] * 45


def test_the_right_password_resets_the_count(deployment: Deployment, ada: str) -> None:
    """Four wrong passwords, the right one and four wrong ones cause no lock-out."""
    for _ in range(2):
        assert [deployment.login(ada, "wrong horse").status_code for _ in range(4)] == [401] * 4
        assert deployment.login(ada).status_code == 200


def test_the_thirtieth_failure_locks_out_an_address(deployment: Deployment, ada: str) -> None:
    """All names are counted together, a successful login resets nothing, and other addresses are unaffected."""
    answers = [deployment.login(f"{ada}.{number}", "wrong horse", server=number % 2) for number in range(28)]
    own = deployment.login(ada)
    answers += [deployment.login(f"{ada}.{number}", "wrong horse", server=number % 2) for number in range(28, 31)]
    forged = deployment.client.post(
        f"http://127.0.0.1:{deployment.servers[0].port}/api/v1/token",
        headers={"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=192.0.2.1", "X-Real-IP": "192.0.2.1"},
        data={"username": ada, "password": PASSWORD},
    )

    assert [answer.status_code for answer in answers] == [401] * 29 + [429] * 2
    assert (own.status_code, forged.status_code) == (200, 429)
    with deployed(str(deployment.engine.url.render_as_string(hide_password=False)), deployment.servers) as elsewhere:
        assert elsewhere.login(ada).status_code == 200


def test_an_api_key_has_its_scopes(deployment: Deployment) -> None:
    """A key is accepted for its scopes, logged by its name, and refused within seconds of its revocation."""
    key = deployment.records.api_keys.create("robot", [Permission.PREDICT], life_s=60, who="test")
    rows = {"instances": [[5.1, 3.5, 1.4, 0.2]]}

    for server in range(2):
        assert deployment.ask("POST", "/predict", server=server, token=key, json=rows).status_code == 200
        assert deployment.ask("GET", "/models", server=server, token=key).status_code == 403
    assert deployment.ask("GET", "/me", token=key).json() == {"name": "key:robot", "scopes": ["predict"]}
    assert deployment.ask("GET", "/me/sessions", token=key).json() == {"sessions": []}
    assert deployment.ask("DELETE", f"/me/sessions/{'0' * 32}", token=key).status_code == 404
    passwords = {"old_password": PASSWORD, "new_password": PASSWORD}
    assert deployment.ask("PUT", "/me/password", token=key, json=passwords).status_code == 403

    deployment.records.api_keys.revoke(key.split("_")[1], who="test")

    for server in range(2):
        assert within(EVERYWHERE_S, lambda server=server: deployment.me(key, server=server) == 401)  # type: ignore[misc]


def test_a_key_can_revoke_itself(deployment: Deployment) -> None:
    """Presenting the whole key revokes it, and the audit has the revocation."""
    key = deployment.records.api_keys.create("leaked", [Permission.PREDICT], life_s=60, who="test")
    statuses = [deployment.me(key, server=server) for server in range(2)]
    guessed = deployment.ask("POST", "/token/revoke", data={"token": key[:-1] + ("0" if key[-1] != "0" else "1")})
    kept = deployment.me(key)

    given_up = deployment.ask("POST", "/token/revoke", data={"token": key})

    assert (statuses, kept) == ([200, 200], 200)
    assert (guessed.status_code, given_up.status_code) == (200, 200)
    assert deployment.me(key) == 401
    assert within(EVERYWHERE_S, lambda: deployment.me(key, server=1) == 401)
    assert deployment.events("key:leaked").count("key-revoked") == 1


def test_a_refused_scope_is_audited(deployment: Deployment, ada: str) -> None:
    """A login that is refused only for its scope confirms the password, so it is in the audit."""
    refused = deployment.login(ada, scope="predict everything")

    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")
    assert deployment.events(ada)[-1] == "scope-refused"


def test_a_user_without_scopes_can_log_in(deployment: Deployment) -> None:
    """A user without a scope can log in, refresh, and see their own name."""
    name = deployment.user(f"nothing.{deployment.number}", permissions=[])
    first = deployment.tokens(name)

    second = deployment.refresh(first["refresh_token"])

    assert (first["scope"], second.status_code) == ("", 200)
    assert deployment.me(second.json()["access_token"]) == 200
    assert deployment.ask("GET", "/models", token=second.json()["access_token"]).status_code == 403


@pytest.mark.parametrize("mangle", ["unknown", "secret", "short", "upper", "empty", "expired", "quoted", "doubled"])
def test_an_invalid_key_is_refused_like_any_token(deployment: Deployment, mangle: str) -> None:
    """Malformed, unknown, expired and forged keys get the same 401."""
    life_s = 0.001 if mangle == "expired" else 60
    key = deployment.records.api_keys.create("robot", [Permission.PREDICT], life_s=life_s, who="test")
    mangled = {
        "unknown": "sepal_" + "0" * 16 + "_" + key.split("_")[2],
        "secret": key[:-1] + ("0" if key[-1] != "0" else "1"),
        "short": key[:-1],
        "upper": key.upper(),
        "empty": "sepal_",
        "expired": key,
        "quoted": key + "'",
        "doubled": key + key,
    }[mangle]

    answer = deployment.ask("GET", "/me", token=mangled)
    garbage = deployment.ask("GET", "/me", token="garbage")

    assert (answer.status_code, slug(answer)) == (401, "token-invalid")
    assert answer.json() | {"instance": ""} == garbage.json() | {"instance": ""}
    assert answer.headers["www-authenticate"] == garbage.headers["www-authenticate"] == 'Bearer error="invalid_token"'


def test_no_secret_is_in_a_log_or_in_the_audit(deployment: Deployment, ada: str) -> None:
    """Passwords, tokens and keys are neither logged nor audited."""
    granted = deployment.tokens(ada)
    key = deployment.records.api_keys.create("robot", [Permission.PREDICT], life_s=60, who="test")
    deployment.me(key)
    deployment.login(ada, "a wrong secret")
    deployment.refresh(granted["refresh_token"])
    deployment.refresh(granted["refresh_token"])

    recorded = "".join(server.log.read_text() for server in deployment.servers)
    recorded += "".join(f"{vars(entry)}" for entry in deployment.records.audit.last(1000))

    assert ada in recorded
    for secret in (PASSWORD, "a wrong secret", key.split("_")[2], granted["refresh_token"], granted["access_token"]):
        assert secret not in recorded
