"""Tokens: how to get one, and whose it is."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form
from pydantic import BaseModel, ConfigDict, Field

from serve.api.deps import PREFIX, Caller, PartsDep, Visitor
from serve.security.passwords import LONGEST
from serve.users import NAME

router = APIRouter(prefix=PREFIX, tags=["tokens"])


class TokenForm(BaseModel):
    """The OAuth 2 password grant (RFC 6749, section 4.3)."""

    model_config = ConfigDict(extra="ignore")

    grant_type: Literal["password"] = "password"
    username: str = Field(pattern=f"^{NAME}$")
    password: str = Field(min_length=1, max_length=LONGEST, json_schema_extra={"format": "password"})
    scope: str = Field(
        "", max_length=1024, description="Scopes separated by blanks; empty means all that the user has."
    )


class TokenAnswer(BaseModel):
    """A token as OAuth 2 hands it out."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int
    scope: str


class CallerView(BaseModel):
    """Who asks."""

    name: str
    scopes: list[str]


@router.post("/token")
async def issue_token(visitor: Visitor, form: Annotated[TokenForm, Form()], parts: PartsDep) -> TokenAnswer:
    """Exchange a name and a password for an access token."""
    issued = await parts.recognise(parts.login.grant, form.username, form.password, form.scope)
    return TokenAnswer(access_token=issued.token, expires_in=issued.expires_in_s, scope=" ".join(sorted(issued.scopes)))


@router.get("/me")
async def show_caller(caller: Caller) -> CallerView:
    """Whose token this is, and what it reaches."""
    return CallerView(name=caller.name, scopes=sorted(caller.scopes))
