"""Routes that issue, refresh and revoke tokens."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from serve.api.deps import PREFIX, MaybeCaller, ServicesDep, Visitor
from serve.api.media import require_form
from serve.auth.api_keys import PREFIX as KEY_PREFIX
from serve.auth.grants import Granted
from serve.auth.passwords import LONGEST
from serve.auth.principals import Verified, scope_of
from serve.auth.tokens import LONGEST as LONGEST_TOKEN
from serve.auth.users import NAME
from serve.errors import SessionNotFound, Unauthenticated

router = APIRouter(prefix=PREFIX, tags=["tokens"])


class TokenForm(BaseModel):
    """The password grant of OAuth 2 (RFC 6749, section 4.3), or the refresh of a token (section 6)."""

    model_config = ConfigDict(extra="ignore")

    grant_type: Literal["password", "refresh_token"] = "password"
    username: str = Field("", pattern=f"^({NAME})?$", validate_default=True)
    password: str = Field("", max_length=LONGEST, validate_default=True, json_schema_extra={"format": "password"})
    refresh_token: str = Field("", max_length=LONGEST_TOKEN, validate_default=True)
    scope: str = Field(
        "", max_length=1024, description="Scopes separated by spaces; empty means all that are available."
    )

    @field_validator("username", "password", "refresh_token")
    @classmethod
    def _is_there(cls, value: str, info: ValidationInfo) -> str:
        """Require the fields of the grant."""
        is_needed = (info.field_name == "refresh_token") == (info.data.get("grant_type") == "refresh_token")
        if is_needed and not value:
            raise PydanticCustomError("missing", "this grant needs the field")
        return value


class TokenAnswer(BaseModel):
    """The token response of OAuth 2."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int
    scope: str
    refresh_token: str
    refresh_expires_in: int

    @classmethod
    def of(cls, granted: Granted) -> "TokenAnswer":
        """Convert what was granted to the names of OAuth."""
        return cls(
            access_token=granted.access.token,
            expires_in=granted.access.expires_in_s,
            scope=scope_of(granted.access.permissions),
            refresh_token=granted.refresh_token,
            refresh_expires_in=granted.refresh_expires_in_s,
        )


class RevokeForm(BaseModel):
    """The revocation request of OAuth 2 (RFC 7009)."""

    model_config = ConfigDict(extra="ignore")

    token: str = Field(min_length=1, max_length=LONGEST_TOKEN)
    token_type_hint: str = Field("", max_length=64)


class Revoked(BaseModel):
    """The token is invalid now, whatever it was before."""


_FIELDS = TokenForm.model_fields.keys() | RevokeForm.model_fields.keys()


async def require_plain_form(request: Request) -> None:
    """
    Refuse a body that is not a form, and a repeated field: a proxy in front may have read the other value.

    Raises:
        InvalidInput: The body is not a form, or is compressed.
        RequestValidationError: A field was sent more than once.
    """
    require_form(request)
    names = [name for name, _ in (await request.form()).multi_items()]
    twice = sorted({name for name in names if names.count(name) > 1} & _FIELDS)
    if twice:
        raise RequestValidationError([{"type": "duplicate", "loc": ("body", name), "msg": "twice"} for name in twice])


@router.post("/token", dependencies=[Depends(require_plain_form)])
async def issue_token(visitor: Visitor, form: Annotated[TokenForm, Form()], services: ServicesDep) -> TokenAnswer:
    """Exchange a name and a password, or a refresh token, for an access token and the next refresh token."""
    if form.grant_type == "refresh_token":
        refresh = services.grants.refresh
        granted = await services.database_threads.run(refresh, form.refresh_token, form.scope, address=visitor)
    else:
        grant = services.login.grant
        granted = await services.password_threads.run(grant, form.username, form.password, form.scope, address=visitor)
    return TokenAnswer.of(granted)


@router.post("/token/revoke", dependencies=[Depends(require_plain_form)])
async def revoke_token(
    address: Visitor, form: Annotated[RevokeForm, Form()], caller: MaybeCaller, services: ServicesDep
) -> Revoked:
    """End the session of a refresh token or of the caller's access token, or revoke an API key."""
    sessions = services.records.sessions
    if form.token.startswith(KEY_PREFIX):
        await services.database_threads.run(services.records.api_keys.revoke_own, form.token)
        return Revoked()
    login = await services.database_threads.run(sessions.owner, form.token)
    if login is not None:
        if caller is None or caller.owns(login.user):
            await _end(services, login.id, login.user, address)
        return Revoked()
    if caller is None:
        raise Unauthenticated
    verified = await _verified(services, form.token)
    if verified is None or verified.principal.name != caller.name:
        return Revoked()
    if verified.principal.session:
        await _end(services, verified.principal.session, caller.name, address)
    else:
        # By its own id, never by that of its signing key, which has signed other tokens too.
        await services.database_threads.run(
            sessions.revoke, verified.own, verified.until, who=caller.name, address=address
        )
    return Revoked()


async def _end(services: ServicesDep, session: str, user: str, address: str) -> None:
    try:
        await services.database_threads.run(
            services.records.sessions.end, session, who=user, address=address, user=user
        )
    except SessionNotFound:
        # It has ended meanwhile, as the caller wanted.
        return


async def _verified(services: ServicesDep, token: str) -> Verified | None:
    """Verify an access token; None if it is invalid."""
    if not token.isascii():
        return None
    try:
        return services.callers.verify_token(token)
    except Unauthenticated:
        return None
