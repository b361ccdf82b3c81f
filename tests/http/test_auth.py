"""Authentication over HTTP: logins, scopes, and every route without a token."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from serve.app.root import create_app
from serve.auth.principals import ALL_PERMISSIONS
from serve.settings import Settings
from tests.support.server import Api, Server, slug
from tests.test_house import DOCS, PUBLIC, routes_of

NEEDS = {
    ("GET", "/api/v1/me"): None,
    ("GET", "/api/v1/me/sessions"): None,
    ("DELETE", "/api/v1/me/sessions/{id}"): None,
    ("PUT", "/api/v1/me/password"): None,
    ("POST", "/api/v1/predict"): "predict",
    ("POST", "/api/v1/models/iris/predict"): "predict",
    ("POST", "/api/v1/predict/csv"): "batch",
    ("POST", "/api/v1/models/{model}/predict/csv"): "batch",
    ("GET", "/api/v1/models"): "models:read",
    ("GET", "/api/v1/models/{model}"): "models:read",
    ("GET", "/api/v1/models/{model}/card"): "models:read",
    ("GET", "/metrics"): "metrics:read",
}
ROUTES = [(method, path.replace("{model}", "iris")) for method, path in NEEDS]


def _each_variant() -> Iterator[tuple[str, str]]:
    for method, path in ROUTES:
        yield from [(method, path), (method, path + "/"), (method, "/" + path), (method, path.upper())]
        yield from [("HEAD", path), ("OPTIONS", path), ("DELETE", path)]
    yield from [("GET", "/"), ("GET", "/.env"), ("GET", "/api/v1")]
    for method, path in [("GET", "/api/v1/me"), ("POST", "/api/v1/predict")]:
        yield from [(other, path) for other in ("PUT", "PATCH", "TRACE", "PROPFIND")]
        for odd in ("/health/live/..", "/health/live;", "/docs/..", "/.", "/%2e", "/health/%2e%2e", "/api/v1/token/.."):
            yield method, odd + path
        for odd in ("%20", ";x", "%00", "%0a", ".json", "%2f", "/.", "\\"):
            yield method, path + odd


@pytest.mark.parametrize("header", [None, "Bearer garbage", "Bearer", "Basic ZGV2OmRldg==", "Bearer \u00e4.b.c"])
@pytest.mark.parametrize(("method", "path"), list(_each_variant()))
def test_nothing_answers_without_a_token(server: Server, method: str, path: str, header: str | None) -> None:
    """Every route and every variant of its path is 401 with a challenge, whether it exists or not."""
    headers = [(b"Authorization", header.encode("latin-1"))] if header else []
    url = httpx2.URL(f"http://127.0.0.1:{server.port}").copy_with(raw_path=path.encode())

    answer = server.client.request(method, url, headers=headers)

    is_sent = header is not None and header.startswith("Bearer ")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == ('Bearer error="invalid_token"' if is_sent else "Bearer")
    assert method == "HEAD" or slug(answer) == "token-invalid"


@pytest.fixture(scope="module")
def bearers(server: Server) -> dict[str, dict[str, str]]:
    """One token per scope."""
    return {scope: server.bearer(scope) for scope in ALL_PERMISSIONS}


@pytest.mark.parametrize("scope", sorted(ALL_PERMISSIONS))
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_token_is_accepted_for_its_scope_only(
    server: Server, bearers: dict[str, dict[str, str]], method: str, path: str, scope: str
) -> None:
    """A token with one scope is accepted where that scope is needed, and 403 where another is."""
    needed = list(NEEDS.values())[ROUTES.index((method, path))]

    answer = server.client.request(method, path, headers=bearers[scope])

    if needed in {None, scope}:
        assert answer.status_code not in {401, 403}
    else:
        assert (answer.status_code, slug(answer)) == (403, "scope-missing")


def test_a_login_returns_the_response_of_oauth(server: Server) -> None:
    """The response has the members of OAuth 2 and the requested scopes."""
    form = {"grant_type": "password", "username": "developer", "password": server.password, "scope": "predict"}

    answer = server.client.post("/api/v1/token", data=form)

    assert answer.status_code == 200
    assert answer.json() | {"access_token": "", "refresh_token": ""} == {
        "access_token": "",
        "refresh_token": "",
        "refresh_expires_in": 604_800,
        "token_type": "Bearer",
        "expires_in": 36_000,
        "scope": "predict",
    }
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("user", ["developer", "unknown"])
def test_a_wrong_password_and_an_unknown_user_look_the_same(server: Server, user: str) -> None:
    """Neither the status nor the message reveals whether the user exists."""
    answer = server.client.post("/api/v1/token", data={"username": user, "password": "wrong password"})

    assert (answer.status_code, slug(answer)) == (401, "bad-credentials")
    assert answer.json()["error"] == "invalid_grant"
    assert answer.json()["detail"] == "the user name or the password is wrong"


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"username": "developer"}, "invalid_request"),
        ({}, "invalid_request"),
        ({"username": "a b", "password": "x" * 8}, "invalid_request"),
        ({"username": "developer", "password": "x" * 1025}, "invalid_request"),
        ({"grant_type": "client_credentials", "username": "a", "password": "b"}, "unsupported_grant_type"),
    ],
)
def test_an_invalid_grant_has_the_code_of_oauth(server: Server, form: dict[str, str], error: str) -> None:
    """A form that is not a valid grant is 400 with the code of OAuth 2."""
    answer = server.client.post("/api/v1/token", data=form)

    assert (answer.status_code, slug(answer), answer.json()["error"]) == (400, "invalid-login", error)


def test_more_scope_than_the_user_has_is_refused(server: Server) -> None:
    """A scope is neither reduced nor extended silently."""
    form = {"username": "developer", "password": server.password, "scope": "predict everything"}

    answer = server.client.post("/api/v1/token", data=form)

    assert (answer.status_code, slug(answer), answer.json()["error"]) == (400, "scope-refused", "invalid_scope")


def test_the_scheme_is_read_in_any_case(api: Api) -> None:
    """`bearer` is accepted like `Bearer`."""
    header = {"Authorization": api.headers["Authorization"].replace("Bearer", "bearer")}

    assert api.server.client.get("/api/v1/me", headers=header).status_code == 200


def test_a_token_of_another_algorithm_is_refused(api: Api) -> None:
    """An unsigned token with valid claims is refused."""
    _, claims, _ = api.headers["Authorization"].removeprefix("Bearer ").split(".")
    for header in ({"alg": "none", "typ": "at+jwt"}, {"alg": "HS512", "typ": "at+jwt"}, {"alg": "HS256", "typ": "JWT"}):
        head = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()

        answer = api.server.client.get("/api/v1/me", headers={"Authorization": f"Bearer {head}.{claims}."})

        assert (answer.status_code, slug(answer)) == (401, "token-invalid")


def test_what_does_not_exist_is_404_with_a_token(api: Api) -> None:
    """With a token, an unknown path is 404 and an unsupported method is 405 with Allow."""
    missing = api.get("/api/v1/nothing")
    method = api.server.client.delete("/api/v1/me", headers=api.headers)

    assert (missing.status_code, slug(missing)) == (404, "not-found")
    assert (method.status_code, slug(method), method.headers["allow"]) == (405, "method-not-allowed", "GET")


def test_the_list_of_routes_is_complete(api: Api) -> None:
    """The routes of these tests are all routes of OpenAPI, so a new one cannot be missed."""
    paths = api.server.client.get("/openapi.json").json()["paths"]
    documented = {(method.upper(), path) for path, operations in paths.items() for method in operations}

    assert {(method, path) for method, path in documented if path not in PUBLIC} == set(NEEDS)


def test_every_route_of_the_app_needs_a_token(server: Server, tmp_path: Path) -> None:
    """Every route and mount of the app, in OpenAPI or not, is 401 without a token."""
    app: Any = create_app(Settings(_env_file=None, state=tmp_path, secret_key=SecretStr("x" * 32)))
    routes = list(routes_of(app._app._app.routes))
    table = {(method, route.path) for route in routes for method in getattr(route, "methods", {"GET", "POST"})}
    closed = {(method, path) for method, path in table if path not in PUBLIC | DOCS}

    assert len(closed) >= len(NEEDS)
    for method, path in closed:
        for header in ({}, {"Authorization": "Bearer garbage"}):
            answer = server.client.request(method, path.replace("{model}", "iris"), headers=header)
            challenge = 'Bearer error="invalid_token"' if header else "Bearer"
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, challenge), path
