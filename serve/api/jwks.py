"""The public keys with which others verify our tokens."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from serve.api.context import context_of
from serve.api.deps import ServicesDep

# A key verifies before it signs, so clients that fetch the set this often know every key in time.
MAX_AGE_S = 300

router = APIRouter(tags=["tokens"])


class KeySetResponse(JSONResponse):
    """A set of public keys, with the media type of RFC 7517."""

    media_type = "application/jwk-set+json"


@router.head("/.well-known/jwks.json", include_in_schema=False)
@router.get("/.well-known/jwks.json", response_class=KeySetResponse)
async def show_public_keys(request: Request, services: ServicesDep) -> Response:
    """The public keys that tokens are signed with (RFC 7517); an empty set where a secret signs."""
    context_of(request.scope).is_public = True
    cache = {"Cache-Control": f"public, max-age={MAX_AGE_S}"}
    return KeySetResponse(dict(services.tokens.public_keys), headers=cache)
