"""The public keys of an OpenID Connect provider: from a file, an address, or the provider's own description."""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from anyio import to_thread
from pydantic import BaseModel, ValidationError

from serve.auth.jwk_sets import OIDC_ALGORITHMS, read_public_set
from serve.auth.tokens import Key
from serve.errors import InvalidInput
from serve.http import json_body

MOST_BYTES = 2**20
TIMEOUT_S = 5.0
DISCOVERY = "/.well-known/openid-configuration"
_MAX_DEPTH = 8
_MAX_LISTS = 100
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "sepal"}


class _Description(BaseModel):
    """The needed part of an issuer's description (OpenID Connect Discovery, 3)."""

    issuer: str
    jwks_uri: str


class OidcKeys:
    """The published keys of one issuer, fetched by a timer and never because of a token."""

    def __init__(
        self,
        issuer: str,
        *,
        keys: str = "",
        algorithms: Sequence[str] = OIDC_ALGORITHMS,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._issuer = issuer
        self._source = keys
        self._algorithms = tuple(algorithms)
        self._timeout_s = timeout_s
        for address in (issuer, keys) if "://" in keys else (issuer,):
            _checked(address)

    async def read(self) -> Mapping[tuple[str, str], Key]:
        """
        Return the current keys, after some seconds at most.

        Raises:
            OSError: The issuer or the file cannot be reached.
            ValueError: The answer or the file is not a set of keys.
        """
        if self._source and "://" not in self._source:
            content = await to_thread.run_sync(_head_of, Path(self._source), abandon_on_cancel=True)
        else:
            content = await fetch(self._source or await self._described(), timeout_s=self._timeout_s)
        return read_public_set(content, self._algorithms)

    async def _described(self) -> str:
        content = await fetch(self._issuer.rstrip("/") + DISCOVERY, timeout_s=self._timeout_s)
        return jwks_uri_of(content, self._issuer)


def jwks_uri_of(content: bytes, issuer: str) -> str:
    """
    Return the address of the keys in an issuer's description.

    Raises:
        ValueError: It describes another issuer, or its address is not safe.
    """
    try:
        parsed = json_body.parse(content, max_depth=_MAX_DEPTH, max_rows=_MAX_LISTS)
        described = _Description.model_validate(parsed)
    except (ValidationError, InvalidInput):
        raise ValueError("the issuer does not describe itself (OpenID Connect Discovery)") from None
    if described.issuer != issuer:
        raise ValueError("the issuer's description has another issuer than SEPAL_OIDC_ISSUER")
    # A remote issuer must not direct us to what only this machine can reach.
    if _is_loopback(_checked(described.jwks_uri)) and not _is_loopback(_checked(issuer)):
        raise ValueError("the issuer's description has a jwks_uri on this very machine")
    return described.jwks_uri


async def fetch(address: str, *, timeout_s: float) -> bytes:
    """
    Return the body of a response of status 200, without redirects or a proxy, within this time and `MOST_BYTES`.

    Raises:
        OSError: The address cannot be reached, or sends no complete response within the time.
        ValueError: The response has another status, or is too large.
    """
    # Imported here: takes 80 ms, and most deployments have no OpenID Connect provider.
    import httpx2

    _checked(address)
    tls = await to_thread.run_sync(ssl.create_default_context, abandon_on_cancel=True)
    try:
        # One deadline for everything: a timeout per read is never reached by a server that sends byte after byte.
        async with (
            asyncio.timeout(timeout_s),
            httpx2.AsyncClient(verify=tls, trust_env=False, headers=_HEADERS, timeout=None) as client,
            client.stream("GET", address) as response,
        ):
            if response.status_code != HTTPStatus.OK:
                raise ValueError(f"the response has status {response.status_code}, not 200; no redirect is followed")
            content = b""
            async for piece in response.aiter_raw():
                content += piece
                if len(content) > MOST_BYTES:
                    raise ValueError(f"the response is larger than {MOST_BYTES} bytes")
            return content
    except TimeoutError as error:
        raise TimeoutError(f"{address}: no complete response within {timeout_s:g} s") from error
    except httpx2.HTTPError as error:
        raise OSError(f"{address}: {_cause(error)}") from error


def _cause(error: BaseException) -> BaseException:
    """Return the error of the system behind the library's "All connection attempts failed"."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


def _head_of(file: Path) -> bytes:
    with file.open("rb") as handle:
        return handle.read(MOST_BYTES)


def _checked(address: str) -> SplitResult:
    parts = urlsplit(address)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts))
    is_valid = address.isascii() and address.isprintable() and " " not in address and "@" not in parts.netloc
    if not is_safe or not is_valid or not parts.hostname or parts.port == 0:
        raise ValueError("the address of an issuer or its keys must be https://..., or http://... on this machine")
    return parts


def _is_loopback(parts: SplitResult) -> bool:
    if parts.hostname == "localhost":
        return True
    try:
        return ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
