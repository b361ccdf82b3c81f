"""Routes about the caller: their name, sessions and password."""

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
    """The caller."""

    name: str
    scopes: list[str]


class SessionView(BaseModel):
    """A session of the caller; the token of the request belongs to the `current` one."""

    id: str
    current: bool
    scopes: list[str]
    address: str
    created_at: datetime
    used_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, login: LoginSession, *, current: str) -> "SessionView":
        """Return what its user may see of a session."""
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
    """The caller's sessions, the last used ones first."""

    sessions: list[SessionView]


class PasswordChange(BaseModel):
    """The old and the new password."""

    model_config = ConfigDict(extra="forbid", strict=True)

    old_password: str = Field(min_length=1, max_length=LONGEST, json_schema_extra={"format": "password"})
    new_password: str = Field(min_length=SHORTEST, max_length=LONGEST, json_schema_extra={"format": "password"})


@router.get("")
async def show_caller(caller: Caller) -> CallerView:
    """The name of the caller and the scopes of their token."""
    return CallerView(name=caller.name, scopes=sorted(caller.permissions))


@router.get("/sessions")
async def list_sessions(caller: Caller, services: ServicesDep) -> SessionsView:
    """The sessions of the caller."""
    # Without a session the caller is no local user, even if one has the same name.
    logins = await services.database_threads.run(services.records.sessions.all, caller.name) if caller.session else []
    return SessionsView(sessions=[SessionView.of(login, current=caller.session) for login in logins])


@router.delete("/sessions/{id}", status_code=204, response_class=Response)
async def end_session(
    id_: Annotated[str, Path(alias="id", max_length=64)], caller: Changer, services: ServicesDep, address: Address
) -> None:
    """End one of the caller's sessions; its refresh token and access tokens become invalid."""
    if not caller.session or not id_.isalnum():
        raise SessionNotFound("there is no such session")
    await services.database_threads.run(
        services.records.sessions.end, id_, who=caller.name, address=address, user=caller.name
    )


@router.put("/password", status_code=204, response_class=Response)
async def change_password(change: PasswordChange, caller: Changer, services: ServicesDep, address: Address) -> None:
    """Change the password; all other sessions of the caller end."""
    if not caller.session:
        raise WrongPassword
    await services.password_threads.run(
        services.login.change_password,
        caller.name,
        change.old_password,
        change.new_password,
        session_id=caller.session,
        address=address,
    )
