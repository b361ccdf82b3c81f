"""Sessions, revocation, lock-out and keys, over two servers on one database of either kind."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from serve.auth.passwords import Passwords
from serve.auth.users import Scope
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
    """Both servers, asked from an address that nobody else has."""
    with deployed(*servers) as found:
        yield found


@pytest.fixture
def ada(deployment: Deployment) -> str:
    """A user of this test's own."""
    return deployment.user(f"ada.{deployment.number}")


def assert_ended(deployment: Deployment, granted: dict[str, str]) -> None:
    """Neither the access token nor the refresh token counts anywhere, the one within seconds and the other at once."""
    for server in range(2):
        assert deployment.refresh(granted["refresh_token"], server=server).json()["error"] == "invalid_grant"
    for server in range(2):
        assert within(EVERYWHERE_S, lambda server=server: deployment.me(granted["access_token"], server=server) == 401)  # type: ignore[misc]


def test_a_refresh_token_is_exchanged_for_the_next(deployment: Deployment, ada: str) -> None:
    """Each use gives an access token and another refresh token, on any server; scopes can be narrowed, not widened."""
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
    """Whoever of the two is the thief, both log in again; the audit tells it."""
    first = deployment.tokens(ada)
    second = deployment.refresh(first["refresh_token"]).json()

    replayed = deployment.refresh(first["refresh_token"], server=1)

    assert (replayed.status_code, slug(replayed)) == (401, "grant-refused")
    assert replayed.json()["error"] == "invalid_grant"
    assert_ended(deployment, second)
    assert deployment.me(first["access_token"]) == 401
    assert "refresh-replayed" in deployment.events(ada)


def test_of_fifty_uses_at_once_one_succeeds(deployment: Deployment, ada: str) -> None:
    """However they are spread over the servers; then the session has ended."""
    token = deployment.tokens(ada)["refresh_token"]

    answers = deployment.at_once(50, lambda number: deployment.refresh(token, server=number % 2))

    [granted] = [answer.json() for answer in answers if answer.status_code == 200]
    assert {answer.status_code for answer in answers} == {200, 401}
    assert_ended(deployment, granted)
    assert deployment.events(ada).count("refresh-replayed") == 1


def test_tokens_are_not_taken_for_one_another(deployment: Deployment, ada: str) -> None:
    """An access token refreshes nothing, a refresh token opens nothing, and what is neither is neither."""
    granted = deployment.tokens(ada)

    assert deployment.me(granted["refresh_token"]) == 401
    assert deployment.refresh(granted["access_token"]).status_code == 401
    assert deployment.refresh("x" * 43).status_code == 401
    assert deployment.refresh("").json()["error"] == "invalid_request"
    assert deployment.me(granted["access_token"]) == 200


def test_who_has_logged_out_is_out(deployment: Deployment, ada: str) -> None:
    """After a logout the token is refused here at once, elsewhere within seconds, and by a server that starts then."""
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
    """Whoever holds it may end its session, without an access token; an unknown token is no error."""
    granted = deployment.tokens(ada)

    out = deployment.ask("POST", "/token/revoke", data={"token": granted["refresh_token"], "token_type_hint": "x"})
    again = deployment.ask("POST", "/token/revoke", data={"token": granted["refresh_token"]}, token="")
    unknown = deployment.ask("POST", "/token/revoke", data={"token": "x"}, token=deployment.tokens(ada)["access_token"])

    assert (out.status_code, again.status_code, unknown.status_code) == (200, 401, 200)
    assert_ended(deployment, granted)


def test_nobody_ends_anothers_session(deployment: Deployment, ada: str) -> None:
    """With a token of one's own, another's token is not revoked and another's session is not there."""
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


def test_everybody_sees_and_ends_their_own_sessions(deployment: Deployment, ada: str) -> None:
    """The list has one's own, and tells which is this one; ending another one leaves this one alone."""
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
def test_whoever_loses_something_is_out(deployment: Deployment, change: str) -> None:
    """A change that takes something away ends the user's sessions everywhere within seconds, and nobody else's."""
    word = change.replace(" ", "-")
    deployment.people.add_role(f"role-{word}", [Scope.PREDICT, Scope.BATCH])
    name = deployment.user(f"lost.{word}", scopes=[Scope.MODELS_READ, Scope.METRICS_READ], roles=[f"role-{word}"])
    other = deployment.tokens(deployment.user(f"kept.{word}"))
    granted = deployment.tokens(name)
    people = deployment.people
    changes = {
        "remove": lambda: people.remove(name),
        "disable": lambda: people.disable(name),
        "password": lambda: people.set_password(name, Passwords().hash("another horse")),
        "scopes": lambda: people.set(name, scopes=[Scope.MODELS_READ]),
        "role": lambda: people.set_role(f"role-{word}", [Scope.PREDICT]),
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


def test_whoever_gains_something_stays(deployment: Deployment, ada: str) -> None:
    """More scopes or roles end nothing; they come with the next login."""
    name = deployment.user(f"{ada}.less", scopes=[Scope.PREDICT])
    granted = deployment.tokens(name)

    assert deployment.people.set(name, scopes=[Scope.PREDICT, Scope.BATCH], roles=["operator"]) == 0

    assert deployment.me(granted["access_token"], server=1) == 200
    assert deployment.refresh(granted["refresh_token"]).json()["scope"] == "predict"
    assert len(deployment.tokens(name)["scope"].split()) == 4


def test_another_password_ends_the_other_sessions(deployment: Deployment, ada: str) -> None:
    """The old one has to be known; this session goes on, the others end, and only the new password logs in."""
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
    """The statuses of answers, in order."""
    return sorted(answer.status_code for answer in answers)


@pytest.mark.parametrize("exists", [True, False])
def test_the_sixth_wrong_password_locks_a_name(deployment: Deployment, ada: str, exists: bool) -> None:
    """Over all servers together, whether the name exists or not; then the right one has to wait as well."""
    name = ada if exists else f"{ada}.nobody"

    wrong = [deployment.login(name, "wrong horse", server=number % 2).status_code for number in range(5)]
    locked = [deployment.login(name, password, server=1) for password in ("wrong horse", PASSWORD)]

    assert wrong == [401] * 5
    assert [(answer.status_code, slug(answer)) for answer in locked] == [(429, "locked-out")] * 2
    assert 0 < int(locked[0].headers["retry-after"]) <= 900
    assert locked[0].json() | {"instance": ""} == locked[1].json() | {"instance": ""}
    assert deployment.login(deployment.user(f"{ada}.other.{exists}")).status_code == 200
    assert deployment.events(name).count("locked-out") == 1


def test_fifty_wrong_passwords_at_once_are_five(deployment: Deployment, ada: str) -> None:
    """A name has five tries, however many come together and wherever."""
    answers = deployment.at_once(50, lambda number: deployment.login(ada, "wrong horse", server=number % 2))

    assert statuses(answers) == [401] * 5 + [429] * 45


def test_the_right_password_begins_anew(deployment: Deployment, ada: str) -> None:
    """Four wrong ones, the right one, and four wrong ones again lock nobody out."""
    for _ in range(2):
        assert [deployment.login(ada, "wrong horse").status_code for _ in range(4)] == [401] * 4
        assert deployment.login(ada).status_code == 200


def test_the_thirtieth_failure_locks_an_address(deployment: Deployment, ada: str) -> None:
    """Whatever names are tried, and although a login of one's own succeeds between; other addresses are free."""
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


def test_a_key_opens_what_its_scopes_name(deployment: Deployment) -> None:
    """A machine asks with a key, is known by its name, and is refused within seconds of its revocation."""
    key = deployment.records.keys.create("robot", [Scope.PREDICT], life_s=60, who="test")
    rows = {"instances": [[5.1, 3.5, 1.4, 0.2]]}

    for server in range(2):
        assert deployment.ask("POST", "/predict", server=server, token=key, json=rows).status_code == 200
        assert deployment.ask("GET", "/models", server=server, token=key).status_code == 403
    assert deployment.ask("GET", "/me", token=key).json() == {"name": "key:robot", "scopes": ["predict"]}
    assert deployment.ask("GET", "/me/sessions", token=key).json() == {"sessions": []}
    assert deployment.ask("DELETE", f"/me/sessions/{'0' * 32}", token=key).status_code == 404
    passwords = {"old_password": PASSWORD, "new_password": PASSWORD}
    assert deployment.ask("PUT", "/me/password", token=key, json=passwords).status_code == 403

    deployment.records.keys.revoke(key.split("_")[1], who="test")

    for server in range(2):
        assert within(EVERYWHERE_S, lambda server=server: deployment.me(key, server=server) == 401)  # type: ignore[misc]


def test_whoever_has_a_key_can_give_it_up(deployment: Deployment) -> None:
    """A key that has leaked is revoked by having it, by nothing less, and the audit tells."""
    key = deployment.records.keys.create("leaked", [Scope.PREDICT], life_s=60, who="test")
    statuses = [deployment.me(key, server=server) for server in range(2)]
    guessed = deployment.ask("POST", "/token/revoke", data={"token": key[:-1] + ("0" if key[-1] != "0" else "1")})
    kept = deployment.me(key)

    given_up = deployment.ask("POST", "/token/revoke", data={"token": key})

    assert (statuses, kept) == ([200, 200], 200)
    assert (guessed.status_code, given_up.status_code) == (200, 200)
    assert deployment.me(key) == 401
    assert within(EVERYWHERE_S, lambda: deployment.me(key, server=1) == 401)
    assert deployment.events("key:leaked").count("key-revoked") == 1


def test_a_password_that_is_confirmed_is_told(deployment: Deployment, ada: str) -> None:
    """Whoever learns that a password is right, by asking for too much, leaves a trace."""
    refused = deployment.login(ada, scope="predict everything")

    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")
    assert deployment.events(ada)[-1] == "scope-refused"


def test_who_may_do_nothing_may_do_that(deployment: Deployment) -> None:
    """A user without a scope logs in and stays logged in, and reaches their own name."""
    name = deployment.user(f"nothing.{deployment.number}", scopes=[])
    first = deployment.tokens(name)

    second = deployment.refresh(first["refresh_token"])

    assert (first["scope"], second.status_code) == ("", 200)
    assert deployment.me(second.json()["access_token"]) == 200
    assert deployment.ask("GET", "/models", token=second.json()["access_token"]).status_code == 403


@pytest.mark.parametrize("mangle", ["unknown", "secret", "short", "upper", "empty", "expired", "quoted", "doubled"])
def test_a_key_that_does_not_count_looks_like_any_other_token(deployment: Deployment, mangle: str) -> None:
    """Malformed, unknown, expired or with another secret: the same 401, and the same words."""
    life_s = 0.001 if mangle == "expired" else 60
    key = deployment.records.keys.create("robot", [Scope.PREDICT], life_s=life_s, who="test")
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
    """Passwords, tokens and keys are nowhere but with their owners."""
    granted = deployment.tokens(ada)
    key = deployment.records.keys.create("robot", [Scope.PREDICT], life_s=60, who="test")
    deployment.me(key)
    deployment.login(ada, "a wrong secret")
    deployment.refresh(granted["refresh_token"])
    deployment.refresh(granted["refresh_token"])

    told = "".join(server.log.read_text() for server in deployment.servers)
    told += "".join(f"{vars(entry)}" for entry in deployment.records.audit.last(1000))

    assert ada in told
    for secret in (PASSWORD, "a wrong secret", key.split("_")[2], granted["refresh_token"], granted["access_token"]):
        assert secret not in told
