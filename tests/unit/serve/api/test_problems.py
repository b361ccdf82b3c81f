"""Errors as responses: status, headers and body of each."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from serve import errors
from serve.api import problems
from serve.api.context import RequestContext, put
from serve.api.deps import TOKEN_PATH
from serve.api.problem_kinds import KINDS
from serve.api.problems import DISCONNECTED, install, problem_of, too_large
from serve.auth.principals import Permission
from serve.errors import InputError, InvalidInput, InvalidRows, ModelNotFound, ServeError, Unauthenticated


def make_request(path: str = "/api/v1/predict", *permissions: str) -> Request:
    """Return a request with the id `order-66`."""
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": path, "headers": [], "query_string": b""}
    put(scope, RequestContext("order-66", permissions=frozenset(permissions)))
    return Request(scope)


def respond(error: Exception, request: Request | None = None) -> tuple[Response, dict[str, Any]]:
    """Return the response to an error, and its body."""
    response = asyncio.run(problem_of(request or make_request(), error))
    body: dict[str, Any] = json.loads(bytes(response.body) or b"{}")
    return response, body


def make_errors() -> Iterator[ServeError]:
    """Make one error of each class whose constructor takes at most a message."""
    for kind in KINDS:
        if kind not in {InvalidInput, InvalidRows, errors.LockedOut, errors.RateExceeded}:
            yield kind(("admin",) if kind is errors.ScopeMissing else "why")  # type: ignore[arg-type]  # one takes scopes


@pytest.mark.parametrize("error", list(make_errors()), ids=lambda error: type(error).__name__)
def test_an_error_has_the_status_and_slug_of_its_kind(error: ServeError) -> None:
    """The body names the request; the headers say whether and when to try again."""
    response, body = respond(error)

    kind = KINDS[type(error)]
    assert response.media_type == "application/problem+json"
    assert (response.status_code, body["status"], body["type"]) == (kind.status, kind.status, f"/problems/{kind.slug}")
    assert (body["title"], body["instance"]) == (kind.title, "order-66")
    assert ("retry-after" in response.headers) is (kind.status in {429, 503})
    assert ("www-authenticate" in response.headers) is (kind.status == 401 or kind.slug == "scope-missing")
    assert ("upgrade" in response.headers) is (kind.status == 426)


def test_a_rate_limit_says_when_to_try_again() -> None:
    """The number of seconds is in the header and the detail."""
    error = errors.RateExceeded("rows", limit=5, window_s=60, cost=4, retry_after_s=17)

    response, body = respond(error)

    assert response.headers["retry-after"] == "17"
    assert body["detail"] == "the limit 'rows' is 5 in 60 s; this request has 4; try again in 17 s"
    assert respond(errors.LockedOut(retry_after_s=3))[0].headers["retry-after"] == "3"


@pytest.mark.parametrize(("error", "challenge"), [
    (Unauthenticated(), "Bearer"),
    (Unauthenticated("expired"), 'Bearer error="invalid_token"'),
    (errors.BadCredentials(), "Bearer"),
    (errors.ScopeMissing(["batch", "predict"]), 'Bearer error="insufficient_scope", scope="batch predict"'),
])  # fmt: skip
def test_a_challenge_never_says_why_a_token_is_invalid(error: ServeError, challenge: str) -> None:
    """Only the access log gets the reason."""
    request = make_request()

    response, body = respond(error, request)

    assert response.headers["www-authenticate"] == challenge
    assert "expired" not in str(body)
    assert request.scope["sepal"].refused == (getattr(error, "reason", "") or None)


@pytest.mark.parametrize(("permissions", "hint"), [((), ""), ((Permission.MODELS_READ,), "; did you mean iris?")])
def test_a_hint_is_for_callers_who_may_list_models(permissions: tuple[str, ...], hint: str) -> None:
    """For others it is not even computed."""
    error = ModelNotFound("no such model", hint=lambda: "; did you mean iris?")

    _, body = respond(error, make_request("/", *permissions))

    assert body["detail"] == f"no such model{hint}"


@pytest.mark.parametrize(("code", "status"), [("malformed-json", 400), ("unsupported-media-type", 415), ("null", 422)])
def test_invalid_input_has_its_code_as_slug(code: str, status: int) -> None:
    """Some codes have a status of their own; on the paths of OAuth 2 its code is added."""
    error = InvalidInput(code, "why")

    response, body = respond(error)

    assert (response.status_code, body["type"], "error" in body) == (status, f"/problems/{code}", False)
    assert respond(error, make_request(TOKEN_PATH))[1]["error"] == "invalid_request"


def test_invalid_rows_are_listed() -> None:
    """The list may be truncated."""
    listed = [InputError(3, "age", "null", "expected a number, got null")]

    _, body = respond(InvalidRows(listed, total=2, code="null"))

    assert body["detail"] == "2 errors in the instances; nothing was predicted"
    assert body["errors"] == [{"row": 3, "column": "age", "code": "null", "message": "expected a number, got null"}]
    assert body["errors_truncated"] is True


def test_an_unexpected_error_is_not_described() -> None:
    """The caller gets the id under which the log has it."""
    response, body = respond(RuntimeError("a secret"))

    assert (response.status_code, body["type"], body["instance"]) == (500, "/problems/internal", "order-66")
    assert "secret" not in str(body)


def test_a_client_that_disconnected_gets_no_body() -> None:
    """The status is for the access log."""
    response, body = respond(ClientDisconnect())

    assert (response.status_code, body) == (DISCONNECTED, {})


def _entry(name: str, kind: str = "missing", place: str = "query") -> dict[str, Any]:
    return {"type": kind, "loc": (place, name), "msg": "a message of pydantic"}


@pytest.mark.parametrize(("place", "word"), [("query", "query parameter"), ("body", "field")])
def test_an_invalid_request_lists_its_mistakes(place: str, word: str) -> None:
    """At most twenty of them."""
    error = RequestValidationError([_entry(f"x{number}", place=place) for number in range(21)])

    response, body = respond(error)

    assert (response.status_code, body["type"]) == (422, "/problems/invalid-request")
    assert body["detail"] == f"a {word} of the request is invalid: see errors"
    assert body["errors"][0] == {"row": None, "column": "x0", "code": "missing", "message": "missing"}
    assert (len(body["errors"]), body["errors_truncated"]) == (20, True)


@pytest.mark.parametrize(("name", "code"), [
    ("grant_type", "unsupported_grant_type"), ("username", "invalid_request"),
])  # fmt: skip
def test_an_invalid_login_has_the_code_of_oauth(name: str, code: str) -> None:
    """It is 400, as OAuth 2 wants it."""
    response, body = respond(RequestValidationError([_entry(name)]), make_request(TOKEN_PATH))

    assert (response.status_code, body["type"], body["error"]) == (400, "/problems/invalid-login", code)


@pytest.mark.parametrize(("status", "slug", "part"), [
    (404, "not-found", "/api/v1/predict"),
    (405, "method-not-allowed", "the header Allow"),
    (413, "body-too-large", "many rows as CSV"),
    (400, "bad-request", "a detail"),
    (418, "http-error", "a detail"),
])  # fmt: skip
def test_errors_of_the_framework_are_problems(
    monkeypatch: pytest.MonkeyPatch, status: int, slug: str, part: str
) -> None:
    """Their details are the project's own, if there is one."""

    async def authenticated(_request: Request) -> None:
        return None

    monkeypatch.setattr(problems, "authenticated", authenticated)

    response, body = respond(HTTPException(status, "a detail", headers={"Allow": "GET"}))

    assert (response.status_code, body["type"]) == (status, f"/problems/{slug}")
    assert part in body["detail"]


def test_a_form_that_cannot_be_parsed_is_described() -> None:
    """The framework's message is not used."""
    _, body = respond(HTTPException(400, "a detail"), make_request(TOKEN_PATH))

    assert body["detail"].startswith("the form cannot be parsed")


def test_an_unknown_path_is_401_without_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only authenticated callers learn which paths exist."""

    async def unauthenticated(_request: Request) -> None:
        raise Unauthenticated

    monkeypatch.setattr(problems, "authenticated", unauthenticated)

    assert respond(HTTPException(404))[0].status_code == 401


def test_a_body_that_is_too_large_closes_the_connection() -> None:
    """The rest of it is not received."""
    assert too_large(make_request()).headers["connection"] == "close"


def test_install_handles_every_exception() -> None:
    """One function is the handler of all."""
    app = FastAPI()

    install(app)

    handled = {error for error, handler in app.exception_handlers.items() if handler is problem_of}
    assert handled == {ServeError, ClientDisconnect, RequestValidationError, HTTPException, Exception}


def test_a_lone_surrogate_is_escaped() -> None:
    """It has no encoding in UTF-8."""
    response, body = respond(InvalidInput("null", "column \ud800"))

    assert b"\\ud800" in bytes(response.body)
    assert body["detail"] == "column \ud800"
