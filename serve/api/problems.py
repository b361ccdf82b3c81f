"""Which status an error has, and its body: application/problem+json as of RFC 9457."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from artifacts.hints import did_you_mean
from serve import errors
from serve.api.context import context_of
from serve.api.deps import PREFIX, REVOKE_PATH, TOKEN_PATH, authenticated, parameters_of
from serve.auth.principals import Permission
from serve.errors import InvalidInput, InvalidRows, ModelNotFound, ScopeMissing, ServeError, Unauthenticated

MEDIA_TYPE = "application/problem+json"
LONGEST_TEXT = 256
_OAUTH_PATHS = frozenset({TOKEN_PATH, REVOKE_PATH})
# RFC 9110, section 15.5.22: it must be said what is needed.
_UPGRADE = {"Upgrade": "HTTP/1.1", "Connection": "upgrade, close"}


@dataclass(frozen=True, slots=True)
class Kind:
    """What an error is over HTTP."""

    status: int
    slug: str
    title: str


class Problem(BaseModel):
    """What every error looks like (RFC 9457); `errors` names what is wrong with the input."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[dict[str, str | int | None]] = []
    errors_truncated: bool = False
    error: str = ""


KINDS: Mapping[type[ServeError], Kind] = {
    errors.ServeError: Kind(500, "internal", "Something went wrong"),
    errors.ModelNotFound: Kind(404, "model-not-found", "No such model"),
    errors.VersionNotLoaded: Kind(404, "version-not-loaded", "This version is not served"),
    errors.CardNotFound: Kind(404, "card-not-found", "No model card"),
    errors.ModelUnavailable: Kind(503, "model-unavailable", "The model could not be loaded"),
    errors.ModelError: Kind(500, "model-error", "The model failed"),
    errors.InvalidInput: Kind(422, "invalid-input", "The request does not fit the model"),
    errors.InvalidRows: Kind(422, "invalid-instances", "Some rows do not fit the model"),
    errors.Unauthenticated: Kind(401, "token-invalid", "A valid token is needed"),
    errors.BadCredentials: Kind(401, "bad-credentials", "Not recognised"),
    errors.GrantRefused: Kind(401, "grant-refused", "The refresh token does not count"),
    errors.WrongPassword: Kind(403, "wrong-password", "The old password is wrong"),
    errors.LockedOut: Kind(429, "locked-out", "Too many logins have failed"),
    errors.ScopeMissing: Kind(403, "scope-missing", "The token does not reach that far"),
    errors.ScopeRefused: Kind(400, "scope-refused", "More scope than the user has"),
    errors.RateExceeded: Kind(429, "rate-exceeded", "Too many requests"),
    errors.LimitsUnavailable: Kind(503, "limits-unavailable", "Requests cannot be counted"),
    errors.Busy: Kind(503, "busy", "Too many callers"),
    errors.Overloaded: Kind(503, "overloaded", "Too much to do"),
    errors.DeadlineExceeded: Kind(504, "deadline-exceeded", "It took too long"),
    errors.UserExists: Kind(409, "user-exists", "The name is taken"),
    errors.UserNotFound: Kind(404, "user-not-found", "No such user"),
    errors.RoleNotFound: Kind(404, "role-not-found", "No such role"),
    errors.KeyNotFound: Kind(404, "key-not-found", "No such key"),
    errors.SessionNotFound: Kind(404, "session-not-found", "No such session"),
    errors.DatabaseUnavailable: Kind(503, "database-unavailable", "The database does not answer"),
    errors.StorageFull: Kind(507, "storage-full", "There is no room for it"),
    errors.ProtocolTooOld: Kind(426, "http-too-old", "HTTP/1.1 is needed"),
    errors.WireError: Kind(400, "malformed-request", "The request is malformed"),
    errors.MalformedRequest: Kind(400, "malformed-request", "The request is malformed"),
    errors.MethodUnknown: Kind(501, "method-unknown", "There is no such method"),
    errors.HeadersTooLarge: Kind(431, "headers-too-large", "The headers are too large"),
    errors.TooSlow: Kind(408, "too-slow", "The request took too long to come"),
    errors.TooManyConnections: Kind(503, "too-many-connections", "Too many connections"),
}

# Bodies that cannot even be parsed are 400 and unknown media 415; whatever else is wrong with input is 422.
INPUT_STATUS: Mapping[str, int] = {"malformed-json": 400, "json-depth": 400, "unsupported-media-type": 415}

# What OAuth 2 calls the failures of the token endpoint (RFC 6749, section 5.2).
OAUTH_ERRORS: Mapping[type[ServeError], str] = {
    errors.BadCredentials: "invalid_grant",
    errors.GrantRefused: "invalid_grant",
    errors.ScopeRefused: "invalid_scope",
}

# What the router answers by itself; callers without a token get 401 instead.
_UNROUTED = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})

# What the framework raises by itself.
SLUGS: Mapping[int, str] = {400: "bad-request", 404: "not-found", 405: "method-not-allowed"}

# In place of the framework's words.
_DETAILS: Mapping[int, str] = {
    404: f"there is no such path; those of the API begin with {PREFIX}, as {PREFIX}/predict does",
    405: "this path does not take this method; the header Allow names those that it takes",
}
# The codes of pydantic that can be met in a query or a form, in our own words; of any other its message is sent.
_MISTAKES: Mapping[str, tuple[str, str]] = {
    "bool_parsing": ("not-a-boolean", "expected true or false"),
    "duplicate": ("duplicate", "sent more than once: send it once"),
    "extra_forbidden": ("unknown-name", "unknown"),
    "json_invalid": ("malformed-json", "the body is not JSON"),
    "literal_error": ("unknown-value", "expected {expected}"),
    "missing": ("missing", "missing"),
    "model_attributes_type": ("not-an-object", "expected a JSON object"),
    "string_too_long": ("text-too-long", "expected at most {max_length} characters"),
    "string_too_short": ("text-too-short", "expected at least {min_length} characters"),
    "string_type": ("not-a-text", "expected a text"),
}

RETRY_AFTER_S = 5
_COME_AGAIN = frozenset({HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS})
# nginx's number for a client that went away before it had sent its body.
DISCONNECTED = 499


def problem(
    request: Request,
    *,
    status: int,
    slug: str,
    title: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
    **more: object,
) -> Response:
    """A problem document; `more` becomes extension members."""
    body = {
        "type": f"/problems/{slug}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": context_of(request.scope).request_id,
        **more,
    }
    # Half a character, which has no encoding, becomes its JSON escape.
    content = json.dumps(body, ensure_ascii=False, allow_nan=False).encode(errors="backslashreplace")
    return Response(content, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Answer every error of the app with a problem document."""
    app.add_exception_handler(ServeError, refusal)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(ClientDisconnect, refusal)
    app.add_exception_handler(Exception, _on_unexpected)


async def _on_unexpected(request: Request, _error: Exception) -> Response:
    """What is told when nobody knows what happened: that it is ours, and the id to find it in the log."""
    kind = KINDS[ServeError]
    return problem(
        request,
        status=kind.status,
        slug=kind.slug,
        title=kind.title,
        detail="the server failed; its log has the reason under this request's id",
    )


async def problem_of(request: Request, error: Exception) -> Response:
    """Return the problem document of any error, as the app's own handlers do."""
    if isinstance(error, ServeError | ClientDisconnect):
        return await refusal(request, error)
    if isinstance(error, RequestValidationError):
        return await _on_invalid_request(request, error)
    if isinstance(error, HTTPException):
        return await _on_http_error(request, error)
    return await _on_unexpected(request, error)


def too_large(request: Request) -> Response:
    """The body is larger than its route takes."""
    return problem(
        request,
        status=413,
        slug="body-too-large",
        title="The body is too large",
        detail="the body is larger than this route takes; send fewer rows a request, or many rows as CSV",
        headers={"Connection": "close"},
    )


async def refusal(request: Request, error: Exception) -> Response:
    """What a caller is told of an error of the domain; of one who has gone, only the access log reads the status."""
    if isinstance(error, ClientDisconnect):
        return Response(status_code=DISCONNECTED)
    assert isinstance(error, ServeError)
    kind = next(KINDS[step] for step in type(error).__mro__ if step in KINDS)
    status, slug = kind.status, kind.slug
    if isinstance(error, InvalidInput):
        status, slug = INPUT_STATUS.get(error.code, kind.status), error.code
    more: dict[str, object] = {}
    if isinstance(error, InvalidRows):
        more["errors"] = [asdict(listed) for listed in error.errors]
        more["errors_truncated"] = error.total > len(error.errors)
    if type(error) in OAUTH_ERRORS:
        more["error"] = OAUTH_ERRORS[type(error)]
    elif isinstance(error, InvalidInput) and request.scope["path"] in _OAUTH_PATHS:
        more["error"] = "invalid_request"
    if isinstance(error, Unauthenticated) and error.reason:
        # For the line of the access log, and for nothing else.
        context_of(request.scope).refused = error.reason
    headers = _challenge(error)
    if status == HTTPStatus.UPGRADE_REQUIRED:
        headers |= _UPGRADE
    if status in _COME_AGAIN:
        headers["Retry-After"] = str(getattr(error, "retry_after_s", RETRY_AFTER_S))
    detail = str(error)
    if isinstance(error, ModelNotFound) and Permission.MODELS_READ in context_of(request.scope).permissions:
        detail += error.hint()
    return problem(request, status=status, slug=slug, title=kind.title, detail=detail, headers=headers, **more)


def _challenge(error: ServeError) -> dict[str, str]:
    """`WWW-Authenticate` of RFC 6750, section 3: an error where a token was sent, the same for every reason."""
    if isinstance(error, ScopeMissing):
        return {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{" ".join(error.scopes)}"'}
    if not isinstance(error, Unauthenticated):
        return {}
    is_token = type(error) is Unauthenticated and error.reason
    return {"WWW-Authenticate": 'Bearer error="invalid_token"' if is_token else "Bearer"}


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if request.scope["path"] in _OAUTH_PATHS:
        return _oauth_refusal(request, {str(entry["loc"][-1]) for entry in found})
    known = parameters_of(request)
    listed = [{"row": None, "column": _where(entry["loc"]), **_mistake(entry, known)} for entry in found[:20]]
    of_query = {entry["loc"][0] for entry in found} == {"query"}
    return problem(
        request,
        status=422,
        slug="invalid-request",
        title="The request does not fit",
        detail=f"a {'query parameter' if of_query else 'field'} of the request is invalid: see errors",
        errors=listed,
        errors_truncated=len(found) > len(listed),
    )


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = error.status_code
    if status in _UNROUTED:
        try:
            await authenticated(request)
        except ServeError as refused:
            return await refusal(request, refused)
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return too_large(request)
    slug = SLUGS.get(status, "http-error")
    detail = _DETAILS.get(status, str(error.detail)[:LONGEST_TEXT])
    if status == HTTPStatus.BAD_REQUEST and request.scope["path"] in _OAUTH_PATHS:
        detail = "the form cannot be read: it is cut short, or has a file or too many fields"
    return problem(
        request,
        status=status,
        slug=slug,
        title=slug.replace("-", " ").capitalize(),
        detail=detail,
        headers=error.headers,
    )


def _mistake(entry: Mapping[str, Any], known: Sequence[str]) -> dict[str, str]:
    """The code of a mistake in a query or a form, and what is wrong."""
    code, message = _MISTAKES.get(entry["type"], (entry["type"], entry["msg"]))
    message = message.format(**entry.get("ctx", {})) if entry["type"] in _MISTAKES else message[:LONGEST_TEXT]
    if code == "unknown-name" and known:
        hint = did_you_mean(str(entry["loc"][-1]), known)
        message += hint or f"; the parameters of this path are {', '.join(known)}"
    return {"code": code, "message": message}


def _oauth_refusal(request: Request, fields: set[str]) -> Response:
    """An invalid login form, with the code of OAuth 2."""
    is_other_grant = "grant_type" in fields
    return problem(
        request,
        status=400,
        slug="invalid-login",
        title="The login form is invalid",
        detail="unsupported grant_type: use password or refresh_token"
        if is_other_grant
        else f"invalid, missing or sent more than once: {', '.join(sorted(fields))}",
        error="unsupported_grant_type" if is_other_grant else "invalid_request",
    )


def _where(location: Sequence[Any]) -> str:
    return ".".join(str(part) for part in location[1:])[:64]
