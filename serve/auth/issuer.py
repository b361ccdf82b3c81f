"""Where an issuer's keys come from: a file, an address, or what the issuer itself says of it."""

import socket
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ValidationError

from serve.auth.jwks import PublicKey
from serve.auth.public_keys import ALGORITHMS, read_public
from serve.errors import InvalidInput
from serve.http import json_body

MOST_BYTES = 2**20
LONGEST_S = 5.0
DISCOVERY = "/.well-known/openid-configuration"
_MAX_DEPTH = 8
_MAX_LISTS = 100


class _Discovered(BaseModel):
    """What is needed of an issuer's own description (OpenID Connect Discovery, 3)."""

    issuer: str
    jwks_uri: str


class Issuer:
    """One issuer's published keys. Nothing of a token ever leads to a look-up: only a timer does."""

    def __init__(
        self, issuer: str, *, keys: str = "", algorithms: Sequence[str] = ALGORITHMS, longest_s: float = LONGEST_S
    ) -> None:
        self._issuer = issuer
        self._source = keys
        self._algorithms = tuple(algorithms)
        self._longest_s = longest_s
        for address in (issuer, keys) if is_address(keys) else (issuer,):
            _checked(address)

    def read(self) -> Mapping[tuple[str, str], PublicKey]:
        """
        The keys as they are now. Blocks, for some seconds at most.

        Raises:
            OSError: The issuer or the file cannot be reached.
            ValueError: What came is no set of keys.
        """
        if self._source and not is_address(self._source):
            with Path(self._source).open("rb") as handle:
                return read_public(handle.read(MOST_BYTES), self._algorithms)
        address = self._source or self._discovered()
        return read_public(_fetch(address, longest_s=self._longest_s), self._algorithms)

    def _discovered(self) -> str:
        content = _fetch(self._issuer.rstrip("/") + DISCOVERY, longest_s=self._longest_s)
        return described(content, self._issuer)


def described(content: bytes, issuer: str) -> str:
    """
    The address of the keys, as an issuer describes itself.

    Raises:
        ValueError: It is another one, or sends us where it should not.
    """
    try:
        told = _Discovered.model_validate(json_body.parse(content, max_depth=_MAX_DEPTH, max_rows=_MAX_LISTS))
    except (ValidationError, InvalidInput):
        raise ValueError("the issuer does not describe itself (OpenID Connect Discovery)") from None
    if told.issuer != issuer:
        raise ValueError("the issuer calls itself otherwise than SEPAL_OIDC_ISSUER does")
    # Whoever is elsewhere does not send us to what only this machine can reach.
    if _is_loopback(_checked(told.jwks_uri)) and not _is_loopback(_checked(issuer)):
        raise ValueError("the issuer sends us to this very machine")
    return told.jwks_uri


def is_address(source: str) -> bool:
    """Whether it is an URL, and not the path of a file."""
    return "://" in source


def _checked(address: str) -> SplitResult:
    parts = urlsplit(address)
    is_known = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts))
    is_plain = address.isascii() and address.isprintable() and " " not in address and "@" not in parts.netloc
    if not is_known or not is_plain or not parts.hostname or parts.port == 0:
        raise ValueError("an issuer and its keys are at https://..., or at http://... on this very machine")
    return parts


def _is_loopback(parts: SplitResult) -> bool:
    if parts.hostname == "localhost":
        return True
    try:
        return ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def _fetch(address: str, *, longest_s: float) -> bytes:
    """
    What is at an address: answered by 200 itself, without any redirect or proxy, within the time and the size.

    Raises:
        OSError: It cannot be reached, or not within the time.
        ValueError: It answers otherwise, or with too much.
    """
    parts = _checked(address)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(str(parts.hostname), parts.port, timeout=longest_s)
    connection.connect()
    # A socket's own limit counts from byte to byte: one that drips would never meet it. The connection lets go of its
    # socket before the answer is read.
    watch = threading.Timer(longest_s, _cut, (connection.sock,))
    watch.daemon = True
    watch.start()
    try:
        return _received(connection, f"{parts.path or '/'}{'?' * bool(parts.query)}{parts.query}")
    except HTTPException as error:
        raise ValueError(f"no HTTP, or cut short: {type(error).__name__}") from error
    finally:
        watch.cancel()
        connection.close()


def _received(connection: HTTPConnection, path: str) -> bytes:
    connection.request("GET", path, headers={"Accept": "application/json", "User-Agent": "sepal"})
    answer = connection.getresponse()
    if answer.status != HTTPStatus.OK:
        raise ValueError(f"the answer is {answer.status}, not 200; redirects are not followed")
    content = answer.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"the answer has more than {MOST_BYTES} bytes")
    return content


def _cut(connected: socket.socket) -> None:
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)
