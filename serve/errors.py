"""
The errors of the server, without HTTP; `api/problems.py` maps each to a status.

    ServeError
    ├── ModelNotFound           no model of that name is served
    ├── VersionNotLoaded        the model is served, but not in that version
    ├── CardNotFound            the version has no model card
    ├── ModelUnavailable        the store has the model, but it could not be loaded
    ├── InvalidInput            the request cannot be parsed, or does not fit the model
    │   └── InvalidRows         some of its rows do not fit the model
    ├── Unauthenticated         the token is missing or invalid
    │   ├── BadCredentials      the user name or the password is wrong
    │   └── GrantRefused        the refresh token is invalid, expired or revoked
    ├── ScopeMissing            the token lacks a scope
    ├── ScopeRefused            the user does not have a requested scope
    ├── WrongPassword           the old password is wrong
    ├── LockedOut               too many logins have failed
    ├── UserExists              the user name is taken
    ├── RateExceeded            the caller sends more requests, or more rows, than a limit allows
    ├── LimitsUnavailable       requests cannot be counted
    ├── UserNotFound            no user of that name
    ├── RoleNotFound            no role of that name
    ├── KeyNotFound             no valid API key of that id
    ├── SessionNotFound         the caller has no session of that id
    ├── Busy                    too many logins or look-ups of API keys are waiting
    ├── ModelError              the model returned invalid predictions, or fails for its own examples
    ├── Overloaded              too many rows are waiting for the model
    ├── DeadlineExceeded        the prediction took too long
    ├── DatabaseUnavailable     the database does not respond, or was migrated by a newer release
    ├── StorageFull             the server cannot store the body
    ├── ProtocolTooOld          HTTP/1.0, whose client cannot detect a truncated response
    └── WireError               the request could not be received
        ├── MalformedRequest    it is not valid HTTP, or ambiguous
        ├── MethodUnknown       its method is unknown
        ├── HeadersTooLarge     its target or headers are too large
        ├── TooSlow             it was not received in time
        └── TooManyConnections  the maximum number of connections is open
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar


class ServeError(Exception):
    """An error of the server; a message that is always the same is its `message`."""

    message: ClassVar[str] = ""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.message)


class ModelNotFound(ServeError):
    """
    No model of that name is served.

    Attributes:
        hint: Returns which model was probably meant, for callers who may list the models; it compares with all names.
    """

    def __init__(self, message: str, *, hint: Callable[[], str] = str) -> None:
        super().__init__(message)
        self.hint = hint


class VersionNotLoaded(ServeError):
    """The model is served, but not in that version."""


class CardNotFound(ServeError):
    """The version has no model card."""

    message = "this version was published without a model card"


class ModelUnavailable(ServeError):
    """The store has the model, but it could not be loaded."""


class ModelError(ServeError):
    """The model returned invalid predictions, or fails for its own examples too."""

    message = "the model failed for these rows; the server log has the type of the error"


@dataclass(frozen=True, slots=True)
class InputError:
    """One mistake in one value, or in a whole row if `column` is None."""

    row: int | None
    column: str | None
    code: str
    message: str


class InvalidInput(ServeError):
    """
    The request cannot be parsed, or does not fit the model.

    Attributes:
        code: The kind of mistake; the table in `api/problems.py` maps some to a status.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class InvalidRows(InvalidInput):
    """Some rows do not fit the model's columns; `errors` lists the first of `total`."""

    def __init__(self, errors: Sequence[InputError], *, total: int, code: str) -> None:
        noun = "error" if total == 1 else "errors"
        super().__init__(code, f"{total} {noun} in the instances; nothing was predicted")
        self.errors = errors
        self.total = total


class Unauthenticated(ServeError):
    """
    The token is missing or invalid; the response does not say why.

    Attributes:
        reason: Why the token was refused, for the log; empty if none was sent.
    """

    message = "a valid token is needed: Authorization: Bearer <token>"

    def __init__(self, reason: str = "") -> None:
        super().__init__()
        self.reason = reason


class BadCredentials(Unauthenticated):
    """The user name or the password is wrong; the response does not say which."""

    message = "the user name or the password is wrong"


class GrantRefused(Unauthenticated):
    """The refresh token is invalid, expired or revoked; the response does not say which."""

    message = "the refresh token is invalid, expired or revoked; log in again"


class WrongPassword(ServeError):
    """The old password is wrong."""

    message = "the old password is wrong"


class LockedOut(ServeError):
    """Too many logins have failed; even the right password is refused for a while."""

    message = "too many logins have failed; try again later"

    def __init__(self, *, retry_after_s: int) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


class ScopeMissing(ServeError):
    """The token is valid, but lacks a scope."""

    def __init__(self, scopes: Sequence[str]) -> None:
        super().__init__(f"the token lacks the scope {' '.join(scopes)}")
        self.scopes = scopes


class ScopeRefused(ServeError):
    """The user does not have a requested scope."""


class UserExists(ServeError):
    """The user name is taken."""


class RateExceeded(ServeError):
    """The caller sends more requests, or more rows, than a limit allows; `retry_after_s` says when to try again."""

    def __init__(self, name: str, *, limit: int, window_s: int, cost: int, retry_after_s: int) -> None:
        requested = f"; this request has {cost}" if cost > 1 else ""
        super().__init__(f"the limit {name!r} is {limit} in {window_s} s{requested}; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class LimitsUnavailable(ServeError):
    """Requests cannot be counted, and are refused until they can."""

    message = "requests cannot be counted at the moment, and are refused; try again"


class UserNotFound(ServeError):
    """There is no user of that name."""


class RoleNotFound(ServeError):
    """There is no role of that name."""


class KeyNotFound(ServeError):
    """There is no API key of that id, or it was revoked."""


class SessionNotFound(ServeError):
    """There is no session of that id, or it is another user's."""


class Busy(ServeError):
    """Too many logins or look-ups of API keys are waiting; the client should retry later."""

    message = "too many logins and look-ups of keys are waiting; try again"


class Overloaded(ServeError):
    """Too many rows are waiting for the model; the client should retry later."""

    message = "too many rows are waiting for this model; try again"


class DeadlineExceeded(ServeError):
    """The prediction took too long; it was not started, or its result is discarded."""

    message = "the model took too long; send fewer rows, or try again later"


class DatabaseUnavailable(ServeError):
    """The database does not respond; requests that need none are served."""


class StorageFull(ServeError):
    """The server cannot store the body."""

    message = "the server has no space for this body; send fewer rows per request, or try again later"


class ProtocolTooOld(ServeError):
    """The response is a stream, and a client of HTTP/1.0 could not detect that it is truncated."""

    message = "this response is sent in chunks, which HTTP/1.0 does not have; use HTTP/1.1"


class WireError(ServeError):
    """The request could not be received; the connection is closed."""


class MalformedRequest(WireError):
    """The request is not valid HTTP, or two servers might parse it differently."""


class MethodUnknown(WireError):
    """The method of the request is unknown."""

    message = "unknown HTTP method"


class HeadersTooLarge(WireError):
    """The target and headers are larger or more than the server accepts."""

    message = "the target and the headers are larger or more than this server accepts"


class TooSlow(WireError):
    """The request was not received in time."""

    message = "the request was not received in time; the connection is too slow, or the client stopped sending"


class TooManyConnections(WireError):
    """The maximum number of connections is open; the client should retry later."""

    message = "too many connections are open; try again"
