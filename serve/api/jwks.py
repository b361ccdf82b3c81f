"""What others need to verify our tokens."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from serve.api.context import context_of
from serve.api.deps import ServicesDep

# A key is added, and verifies, before it signs: whoever looks as often as this never meets one that is not known.
MAX_AGE_S = 300

router = APIRouter(tags=["tokens"])


class KeySet(JSONResponse):
    """A set of public keys, under the media type of RFC 7517."""

    media_type = "application/jwk-set+json"


@router.head("/.well-known/jwks.json", include_in_schema=False)
@router.get("/.well-known/jwks.json", response_class=KeySet)
async def show_public_keys(request: Request, services: ServicesDep) -> Response:
    """The public keys that tokens are signed with (RFC 7517); an empty set where a secret signs."""
    context_of(request.scope).is_public = True
    return KeySet(dict(services.tokens.public_keys), headers={"Cache-Control": f"public, max-age={MAX_AGE_S}"})
