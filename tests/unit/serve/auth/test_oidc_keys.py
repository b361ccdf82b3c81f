"""The keys of an OpenID Connect provider: where they come from, and what goes wrong on the way."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import anyio
import pytest

from serve.auth.oidc_keys import DISCOVERY, MOST_BYTES, OidcKeys, jwks_uri_of
from tests.support.keys import ISSUER, published
from tests.support.oidc_provider import KEYS, Answer, Provider, content, status

BOTH = ("RS256", "ES256")


def test_keys_are_fetched_from_the_described_address() -> None:
    """Keys come from the address in the issuer's description, or from a configured address."""
    with Provider(published()) as provider:
        by_description = anyio.run(OidcKeys(provider.url, algorithms=BOTH).read)
        by_address = anyio.run(OidcKeys(provider.url, keys=provider.url + KEYS, algorithms=BOTH).read)

    assert by_description.keys() == by_address.keys() == {("RS256", "theirs-rsa"), ("ES256", "theirs-ec")}
    assert provider.asked == {DISCOVERY: 1, KEYS: 2}


def test_keys_are_read_from_a_file(tmp_path: Path) -> None:
    """A file needs neither the network nor the issuer."""
    (tmp_path / "keys.json").write_text(json.dumps(published()))

    assert len(anyio.run(OidcKeys(ISSUER, keys=str(tmp_path / "keys.json"), algorithms=("ES256",)).read)) == 1


def dripping(handler: BaseHTTPRequestHandler) -> None:
    """Send one byte after the other, each within the timeout of a read."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    stop = threading.Event()
    try:
        while not stop.wait(0.02):
            handler.wfile.write(b" ")
    except OSError:
        handler.close_connection = True


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (KEYS, status(500)),
        (KEYS, status(302, Location="/other")),
        (KEYS, status(301, Location="file:///etc/passwd")),
        (KEYS, status(204)),
        (KEYS, content(b"<html>")),
        (KEYS, content({"keys": []})),
        (KEYS, content({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "a"}]})),
        (KEYS, content(b" " * (MOST_BYTES + 1))),
        (KEYS, dripping),
        (KEYS, lambda handler: handler.connection.close()),
        (DISCOVERY, status(404)),
        (DISCOVERY, content([])),
        (DISCOVERY, content({"issuer": "https://other.example", "jwks_uri": "https://other.example/"})),
        (DISCOVERY, content({"issuer": 7})),
    ],
)
def test_an_invalid_response_is_an_error(path: str, answer: Answer) -> None:
    """Every other response fails within the deadline, and no redirect is followed."""
    with Provider(published()) as provider:
        provider.answers |= {path: answer, "/other": content(published())}
        started = time.monotonic()

        with pytest.raises((ValueError, OSError)):
            anyio.run(OidcKeys(provider.url, algorithms=BOTH, timeout_s=0.3).read)

        assert time.monotonic() - started < 3
        assert provider.asked["/other"] == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.1.2.3"])
def test_a_remote_issuer_cannot_name_a_local_address(host: str) -> None:
    """The keys of a remote issuer may be on another host, but not on this machine."""
    description = {"issuer": ISSUER, "jwks_uri": f"https://{host}/admin"}
    with pytest.raises(ValueError, match="this very machine"):
        jwks_uri_of(json.dumps(description).encode(), ISSUER)

    description["jwks_uri"] = "https://keys.example/set?of=all"
    assert jwks_uri_of(json.dumps(description).encode(), ISSUER) == description["jwks_uri"]


@pytest.mark.parametrize(
    "address",
    [
        "http://issuer.example",
        "ftp://issuer.example",
        "file:///etc/passwd",
        "https://",
        "https://user:word@issuer.example",
        "https://issuer.example:0",
        "https://issuer.example:port",
        "https://issuer.example/\r\nHost: x",
        "http://127.0.0.1.evil.example",
        "http://169.254.169.254/latest",
        "issuer.example",
    ],
)
def test_addresses_need_tls_or_this_machine(address: str) -> None:
    """An address without TLS is refused at the start, since anyone on the way could replace the keys."""
    with pytest.raises(ValueError):  # noqa: PT011  # the library reports an invalid port
        OidcKeys(address, algorithms=BOTH)
    if "://" in address:
        with pytest.raises(ValueError):  # noqa: PT011
            OidcKeys(ISSUER, keys=address, algorithms=BOTH)
