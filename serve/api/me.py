"""What callers may know of themselves and do to themselves: their name, their sessions, their password."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from serve.api.deps import PREFIX, Address, Caller, Changer, ServicesDep
from serve.auth.passwords import LONGEST, SHORTEST
from serve.auth.sessions import LoginSession
from serve.errors import SessionNotFound, WrongPassword

router = APIRouter(prefix=f"{PREFIX}/me", tags=["me"])


class CallerView(BaseModel):
    """Who asks."""

    name: str
    scopes: list[str]


class SessionView(BaseModel):
    """One session of the caller's; `current` is the one that the token came of."""

    id: str
    current: bool
    scopes: list[str]
    address: str
    created_at: datetime
    used_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, login: LoginSession, *, current: str) -> "SessionView":
        """What its owner may know of a session."""
        return cls(
            id=login.id,
            current=login.id == current,
            scopes=login.scope.split(),
            address=login.address,
            created_at=datetime.fromtimestamp(login.created_at, UTC),
            used_at=datetime.fromtimestamp(login.used_at, UTC),
            expires_at=datetime.fromtimestamp(login.expires_at, UTC),
        )


class SessionsView(BaseModel):
    """The caller's sessions, the newest use first."""

    sessions: list[SessionView]


class PasswordChange(BaseModel):
    """The password so far, and the one from now on."""

    model_config = ConfigDict(extra="forbid", strict=True)

    old_password: str = Field(min_length=1, max_length=LONGEST, json_schema_extra={"format": "password"})
    new_password: str = Field(min_length=SHORTEST, max_length=LONGEST, json_schema_extra={"format": "password"})


@router.get("")
async def show_caller(caller: Caller) -> CallerView:
    """Whose token this is, and what it reaches."""
    return CallerView(name=caller.name, scopes=sorted(caller.scopes))


@router.get("/sessions")
async def list_sessions(caller: Caller, services: ServicesDep) -> SessionsView:
    """Where the caller is logged in."""
    # A name that comes with no session of ours is another's, whatever it is.
    logins = await services.database_threads.run(services.records.sessions.of, caller.name) if caller.session else []
    return SessionsView(sessions=[SessionView.of(login, current=caller.session) for login in logins])


@router.delete("/sessions/{id}", status_code=204, response_class=Response)
async def end_session(
    id_: Annotated[str, Path(alias="id", max_length=64)], caller: Changer, services: ServicesDep, address: Address
) -> None:
    """End one of the caller's sessions: neither its refresh token nor its access tokens count any more."""
    if not caller.session or not id_.isalnum():
        raise SessionNotFound("there is no such session")
    await services.database_threads.run(
        services.records.sessions.end, id_, who=caller.name, address=address, user=caller.name
    )


@router.put("/password", status_code=204, response_class=Response)
async def change_password(change: PasswordChange, caller: Changer, services: ServicesDep, address: Address) -> None:
    """Another password; every other session of the caller's ends."""
    if not caller.session:
        raise WrongPassword
    await services.recognise(
        services.login.change_password,
        caller.name,
        change.old_password,
        change.new_password,
        session_id=caller.session,
        address=address,
    )
