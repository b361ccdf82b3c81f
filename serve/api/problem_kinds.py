"""The status, slug and title of every error over HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass

from serve import errors
from serve.errors import ServeError


@dataclass(frozen=True, slots=True)
class Kind:
    """What an error is over HTTP."""

    status: int
    slug: str
    title: str


KINDS: Mapping[type[ServeError], Kind] = {
    errors.ServeError: Kind(500, "internal", "The server failed"),
    errors.ModelNotFound: Kind(404, "model-not-found", "No such model"),
    errors.VersionNotLoaded: Kind(404, "version-not-loaded", "This version is not loaded"),
    errors.CardNotFound: Kind(404, "card-not-found", "No model card"),
    errors.ModelUnavailable: Kind(503, "model-unavailable", "The model could not be loaded"),
    errors.ModelError: Kind(500, "model-error", "The model failed"),
    errors.InvalidInput: Kind(422, "invalid-input", "The request does not fit the model"),
    errors.InvalidRows: Kind(422, "invalid-instances", "Some rows do not fit the model"),
    errors.Unauthenticated: Kind(401, "token-invalid", "A valid token is needed"),
    errors.BadCredentials: Kind(401, "bad-credentials", "Wrong user name or password"),
    errors.GrantRefused: Kind(401, "grant-refused", "The refresh token is invalid"),
    errors.WrongPassword: Kind(403, "wrong-password", "The old password is wrong"),
    errors.LockedOut: Kind(429, "locked-out", "Too many logins have failed"),
    errors.ScopeMissing: Kind(403, "scope-missing", "The token lacks a scope"),
    errors.ScopeRefused: Kind(400, "scope-refused", "The user does not have this scope"),
    errors.RateExceeded: Kind(429, "rate-exceeded", "Too many requests"),
    errors.LimitsUnavailable: Kind(503, "limits-unavailable", "Requests cannot be counted"),
    errors.Busy: Kind(503, "busy", "Too many requests are waiting"),
    errors.Overloaded: Kind(503, "overloaded", "Too many rows are waiting"),
    errors.DeadlineExceeded: Kind(504, "deadline-exceeded", "The prediction took too long"),
    errors.UserExists: Kind(409, "user-exists", "The user name is taken"),
    errors.UserNotFound: Kind(404, "user-not-found", "No such user"),
    errors.RoleNotFound: Kind(404, "role-not-found", "No such role"),
    errors.KeyNotFound: Kind(404, "key-not-found", "No such key"),
    errors.SessionNotFound: Kind(404, "session-not-found", "No such session"),
    errors.DatabaseUnavailable: Kind(503, "database-unavailable", "The database does not respond"),
    errors.StorageFull: Kind(507, "storage-full", "No space for the body"),
    errors.ProtocolTooOld: Kind(426, "http-too-old", "HTTP/1.1 is needed"),
    errors.WireError: Kind(400, "malformed-request", "The request is malformed"),
    errors.MalformedRequest: Kind(400, "malformed-request", "The request is malformed"),
    errors.MethodUnknown: Kind(501, "method-unknown", "Unknown method"),
    errors.HeadersTooLarge: Kind(431, "headers-too-large", "The headers are too large"),
    errors.TooSlow: Kind(408, "too-slow", "The request was too slow"),
    errors.TooManyConnections: Kind(503, "too-many-connections", "Too many connections"),
}
BODY_TOO_LARGE = Kind(413, slug="body-too-large", title="The body is too large")
INVALID_REQUEST = Kind(422, slug="invalid-request", title="The request is invalid")
INVALID_LOGIN = Kind(400, slug="invalid-login", title="The login form is invalid")

# Bodies that cannot be parsed are 400 and unknown media types 415; all other invalid input is 422.
INPUT_STATUS: Mapping[str, int] = {"malformed-json": 400, "json-depth": 400, "unsupported-media-type": 415}

# The codes of OAuth 2 for the failures of the token endpoint (RFC 6749, section 5.2).
OAUTH_ERRORS: Mapping[type[ServeError], str] = {
    errors.BadCredentials: "invalid_grant",
    errors.GrantRefused: "invalid_grant",
    errors.ScopeRefused: "invalid_scope",
}

# Errors that the framework raises itself.
SLUGS: Mapping[int, str] = {400: "bad-request", 404: "not-found", 405: "method-not-allowed"}


def kind_of(error: ServeError) -> Kind:
    """Return what an error is over HTTP; invalid input has its own code as slug."""
    kind = next(KINDS[base] for base in type(error).__mro__ if base in KINDS)
    if isinstance(error, errors.InvalidInput):
        return Kind(INPUT_STATUS.get(error.code, kind.status), error.code, kind.title)
    return kind
