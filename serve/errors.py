"""
What can go wrong while serving, in the words of the domain; a status is given to each in `api/problems.py`.

    ServeError
    ├── ModelNotFound           no model of that name
    ├── VersionNotLoaded        the model is served, but not in that version
    ├── CardNotFound            the version has no model card
    ├── ModelUnavailable        the store has the model, and it could not be loaded
    ├── InvalidInput            the request cannot be understood or does not fit the model
    │   └── InvalidRows         some of its rows do not
    ├── Unauthenticated         there is no token, or none that counts
    │   ├── BadCredentials      the name and the password do not belong together
    │   └── GrantRefused        a refresh token does not count, or not any more
    ├── ScopeMissing            the token does not reach that far
    ├── ScopeRefused            more scope was asked for than the user has
    ├── WrongPassword           the old password is not the caller's
    ├── LockedOut               too many logins have failed
    ├── UserExists              the name is taken
    ├── RateExceeded            the caller asks more often, or for more rows, than a limit allows
    ├── LimitsUnavailable       nobody can tell how often the caller asked
    ├── UserNotFound            no user of that name
    ├── RoleNotFound            no role of that name
    ├── KeyNotFound             no key of that id
    ├── SessionNotFound         no session of that id, or not the caller's
    ├── Busy                    too many logins or look-ups of keys are waiting
    ├── ModelError              the model returned invalid predictions, or fails for its own examples
    ├── Overloaded              too many rows are waiting for the model
    ├── DeadlineExceeded        the answer would have come too late
    ├── DatabaseUnavailable     the database does not answer, or a newer release has migrated it
    ├── StorageFull             there is no room for what was sent
    ├── ProtocolTooOld          the caller could not tell half of the answer from the whole
    └── WireError               no request came of what was sent
        ├── MalformedRequest    it is not HTTP, or could be read in two ways
        ├── MethodUnknown       its method is none
        ├── HeadersTooLarge     its head is
        ├── TooSlow             it did not come in time
        └── TooManyConnections  there are as many as there may be
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar


class ServeError(Exception):
    """Something went wrong while serving."""


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

    def __init__(self) -> None:
        super().__init__("this version was published without a model card")


class ModelUnavailable(ServeError):
    """The store has the model, and it could not be loaded."""


class ModelError(ServeError):
    """The model returned invalid predictions, or fails for its own examples too."""

    def __init__(self) -> None:
        super().__init__("the model failed for these rows; the server log has the type of the error")


@dataclass(frozen=True, slots=True)
class InputError:
    """One thing that is wrong with one value, or with one row where `column` is None."""

    row: int | None
    column: str | None
    code: str
    message: str


class InvalidInput(ServeError):
    """
    The request cannot be understood, or does not fit the model.

    Attributes:
        code: What kind of mistake it is: a key of the table in `api/problems.py`.
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
    There is no token, or it is invalid; the caller does not learn why.

    Attributes:
        reason: Why the token was refused, for the log; empty where none was sent.
    """

    message: ClassVar[str] = "a valid token is needed: Authorization: Bearer <token>"

    def __init__(self, reason: str = "") -> None:
        super().__init__(self.message)
        self.reason = reason


class BadCredentials(Unauthenticated):
    """The name and the password do not belong together; the caller does not learn which of them is wrong."""

    message = "the user name or the password is wrong"


class GrantRefused(Unauthenticated):
    """A refresh token is invalid, or not valid any more; the caller does not learn why."""

    message = "the refresh token is not valid, or not any more; log in again"


class WrongPassword(ServeError):
    """The old password is not the caller's."""

    def __init__(self) -> None:
        super().__init__("the old password is wrong")


class LockedOut(ServeError):
    """Too many logins have failed; even the right password has to wait."""

    def __init__(self, *, retry_after_s: int) -> None:
        super().__init__("too many logins have failed; try again later")
        self.retry_after_s = retry_after_s


class ScopeMissing(ServeError):
    """The token is good, and does not reach that far."""

    def __init__(self, scopes: Sequence[str]) -> None:
        super().__init__(f"the token lacks the scope {' '.join(scopes)}")
        self.scopes = scopes


class ScopeRefused(ServeError):
    """More scope was asked for than the user has."""


class UserExists(ServeError):
    """The name is taken."""


class RateExceeded(ServeError):
    """The caller asks more often, or for more rows, than a limit allows; `retry_after_s` says when there is more."""

    def __init__(self, name: str, *, limit: int, window_s: int, cost: int, retry_after_s: int) -> None:
        asked = f"; this request is {cost}" if cost > 1 else ""
        super().__init__(f"the limit {name!r} is {limit} in {window_s} s{asked}; there is more in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class LimitsUnavailable(ServeError):
    """Nobody can tell how often the caller asked, and what was asked for is not given then."""

    def __init__(self) -> None:
        super().__init__("requests cannot be counted now, and this one is not answered uncounted; try again")


class UserNotFound(ServeError):
    """There is no user of that name."""


class RoleNotFound(ServeError):
    """There is no role of that name."""


class KeyNotFound(ServeError):
    """There is no key of that id, or it was revoked."""


class SessionNotFound(ServeError):
    """There is no session of that id, or it is not the caller's."""


class Busy(ServeError):
    """Too many logins or look-ups of keys are waiting; the caller should retry later."""

    def __init__(self) -> None:
        super().__init__("too many logins and look-ups of keys are waiting; try again")


class Overloaded(ServeError):
    """Too many rows are waiting for the model; the caller should come back later."""

    def __init__(self) -> None:
        super().__init__("too many rows are waiting for this model; try again")


class DeadlineExceeded(ServeError):
    """The answer would have come too late; nobody works on it any more, or what is said will be thrown away."""

    def __init__(self) -> None:
        super().__init__("the model took too long; send fewer rows, or try again when it has less to do")


class DatabaseUnavailable(ServeError):
    """The database does not answer; what needs none goes on."""


class StorageFull(ServeError):
    """There is no room for what was sent."""

    def __init__(self) -> None:
        super().__init__("the server has no room for this body; send fewer rows a request, or try again later")


class ProtocolTooOld(ServeError):
    """The answer is a stream, and the caller's protocol has nothing that would tell half of it from the whole."""

    def __init__(self) -> None:
        super().__init__("this answer comes in chunks, which HTTP/1.0 does not have: ask in HTTP/1.1")


class WireError(ServeError):
    """No request came of what was sent; the connection is closed."""


class MalformedRequest(WireError):
    """It is not HTTP, or two readers might not agree on what it is."""


class MethodUnknown(WireError):
    """Its method is none that HTTP has."""

    def __init__(self) -> None:
        super().__init__("there is no such method")


class HeadersTooLarge(WireError):
    """Its target and headers are more, or larger, than is read."""

    def __init__(self) -> None:
        super().__init__("the target and the headers are more, or larger, than this server reads")


class TooSlow(WireError):
    """It did not come in time."""

    def __init__(self) -> None:
        super().__init__("the request did not come in time; its connection is too slow, or was forgotten")


class TooManyConnections(WireError):
    """There are as many connections as there may be; the caller should come back later."""

    def __init__(self) -> None:
        super().__init__("too many connections are open; try again")
