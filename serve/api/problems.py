"""Errors as responses: a status and application/problem+json, as of RFC 9457."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from serve.api.context import context_of
from serve.api.deps import PREFIX, REVOKE_PATH, TOKEN_PATH, authenticated, parameters_of
from serve.api.invalid_requests import MAX_TEXT, describe
from serve.api.problem_kinds import (
    BODY_TOO_LARGE,
    INVALID_LOGIN,
    INVALID_REQUEST,
    KINDS,
    OAUTH_ERRORS,
    SLUGS,
    Kind,
    kind_of,
)
from serve.auth.principals import Permission
from serve.errors import InvalidInput, InvalidRows, ModelNotFound, ScopeMissing, ServeError, Unauthenticated

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5
# nginx's status for a client that disconnected before it had sent its body.
DISCONNECTED = 499

_OAUTH_PATHS = frozenset({TOKEN_PATH, REVOKE_PATH})
# RFC 9110, section 15.5.22: the response must name the protocol that is needed.
_UPGRADE = {"Upgrade": "HTTP/1.1", "Connection": "upgrade, close"}
_RETRIED = frozenset({HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS})
# Errors of the router; callers without a token get 401 instead.
_UNROUTED = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})
_MAX_ERRORS = 20

# Instead of the framework's messages.
_DETAILS: Mapping[int, str] = {
    404: f"there is no such path; those of the API begin with {PREFIX}, for example {PREFIX}/predict",
    405: "this path does not support this method; the header Allow lists those that it supports",
}


class Problem(BaseModel):
    """The body of every error (RFC 9457); `errors` lists what is wrong with the input."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[dict[str, str | int | None]] = []
    errors_truncated: bool = False
    error: str = ""


def install(app: FastAPI) -> None:
    """Answer every error of the app with a problem document."""
    for error in (ServeError, ClientDisconnect, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(error, problem_of)


async def problem_of(request: Request, error: Exception) -> Response:
    """Return the response to any error; the caller learns nothing of an unexpected one but where to find its reason."""
    if isinstance(error, ServeError):
        return _serve_error(request, error)
    if isinstance(error, ClientDisconnect):
        # Only the access log gets the status.
        return Response(status_code=DISCONNECTED)
    if isinstance(error, RequestValidationError):
        return _invalid_request(request, error)
    if isinstance(error, HTTPException):
        return await _http_error(request, error)
    return problem(request, KINDS[ServeError], "the server failed; its log has the reason under this request id")


def problem(
    request: Request, kind: Kind, detail: str, *, headers: Mapping[str, str] | None = None, **more: object
) -> Response:
    """Return a problem document; `more` becomes extension members."""
    body = {
        "type": f"/problems/{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "instance": context_of(request.scope).request_id,
        **more,
    }
    # A lone surrogate, which has no encoding, becomes its JSON escape.
    content = json.dumps(body, ensure_ascii=False, allow_nan=False).encode(errors="backslashreplace")
    return Response(content, kind.status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def too_large(request: Request) -> Response:
    """Return the response to a body that is larger than its route accepts."""
    detail = "the body is larger than this route accepts; send fewer rows per request, or many rows as CSV"
    return problem(request, BODY_TOO_LARGE, detail, headers={"Connection": "close"})


def _serve_error(request: Request, error: ServeError) -> Response:
    context, kind, detail = context_of(request.scope), kind_of(error), str(error)
    if isinstance(error, Unauthenticated) and error.reason:
        # For the access log only.
        context.refused = error.reason
    if isinstance(error, ModelNotFound) and Permission.MODELS_READ in context.permissions:
        detail += error.hint()
    more: dict[str, object] = {}
    if isinstance(error, InvalidRows):
        more["errors"] = [asdict(listed) for listed in error.errors]
        more["errors_truncated"] = error.total > len(error.errors)
    if type(error) in OAUTH_ERRORS:
        more["error"] = OAUTH_ERRORS[type(error)]
    elif isinstance(error, InvalidInput) and request.scope["path"] in _OAUTH_PATHS:
        more["error"] = "invalid_request"
    return problem(request, kind, detail, headers=_headers(error, kind.status), **more)


def _headers(error: ServeError, status: int) -> dict[str, str]:
    headers = _challenge(error)
    if status == HTTPStatus.UPGRADE_REQUIRED:
        headers |= _UPGRADE
    if status in _RETRIED:
        headers["Retry-After"] = str(getattr(error, "retry_after_s", RETRY_AFTER_S))
    return headers


def _challenge(error: ServeError) -> dict[str, str]:
    """Return `WWW-Authenticate` of RFC 6750, section 3: an error if a token was sent, the same for every reason."""
    if isinstance(error, ScopeMissing):
        return {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{" ".join(error.scopes)}"'}
    if not isinstance(error, Unauthenticated):
        return {}
    is_token = type(error) is Unauthenticated and error.reason
    return {"WWW-Authenticate": 'Bearer error="invalid_token"' if is_token else "Bearer"}


def _invalid_request(request: Request, error: RequestValidationError) -> Response:
    entries = error.errors()
    if request.scope["path"] in _OAUTH_PATHS:
        return _invalid_login(request, {str(entry["loc"][-1]) for entry in entries})
    is_query = {entry["loc"][0] for entry in entries} == {"query"}
    parameters = parameters_of(request)
    return problem(
        request,
        INVALID_REQUEST,
        f"a {'query parameter' if is_query else 'field'} of the request is invalid: see errors",
        errors=[describe(entry, parameters) for entry in entries[:_MAX_ERRORS]],
        errors_truncated=len(entries) > _MAX_ERRORS,
    )


def _invalid_login(request: Request, fields: set[str]) -> Response:
    """Return the response to an invalid login form, with the code of OAuth 2."""
    if "grant_type" in fields:
        detail = "unsupported grant_type: use password or refresh_token"
        return problem(request, INVALID_LOGIN, detail, error="unsupported_grant_type")
    detail = f"invalid, missing or sent more than once: {', '.join(sorted(fields))}"
    return problem(request, INVALID_LOGIN, detail, error="invalid_request")


async def _http_error(request: Request, error: HTTPException) -> Response:
    status = error.status_code
    if status in _UNROUTED:
        try:
            await authenticated(request)
        except ServeError as refused:
            return _serve_error(request, refused)
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return too_large(request)
    detail = _DETAILS.get(status, str(error.detail)[:MAX_TEXT])
    if status == HTTPStatus.BAD_REQUEST and request.scope["path"] in _OAUTH_PATHS:
        detail = "the form cannot be parsed: it is truncated, or has a file or too many fields"
    slug = SLUGS.get(status, "http-error")
    return problem(request, Kind(status, slug, slug.replace("-", " ").capitalize()), detail, headers=error.headers)
