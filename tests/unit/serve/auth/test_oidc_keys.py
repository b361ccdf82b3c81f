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


def test_keys_are_found_where_the_issuer_says() -> None:
    """From its own description, from an address, or from a file."""
    with Provider(published()) as provider:
        by_description = anyio.run(OidcKeys(provider.url, algorithms=BOTH).read)
        by_address = anyio.run(OidcKeys(provider.url, keys=provider.url + KEYS, algorithms=BOTH).read)

    assert by_description.keys() == by_address.keys() == {("RS256", "theirs-rsa"), ("ES256", "theirs-ec")}
    assert provider.asked == {DISCOVERY: 1, KEYS: 2}


def test_keys_are_found_in_a_file(tmp_path: Path) -> None:
    """A file needs no network, and no issuer that answers."""
    (tmp_path / "keys.json").write_text(json.dumps(published()))

    assert len(anyio.run(OidcKeys(ISSUER, keys=str(tmp_path / "keys.json"), algorithms=("ES256",)).read)) == 1


def dripping(handler: BaseHTTPRequestHandler) -> None:
    """One byte after the other, each of them in time."""
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
def test_an_issuer_that_misbehaves_is_a_failure(path: str, answer: Answer) -> None:
    """Whatever comes instead of keys, it ends soon, and nobody follows a redirect."""
    with Provider(published()) as provider:
        provider.answers |= {path: answer, "/other": content(published())}
        started = time.monotonic()

        with pytest.raises((ValueError, OSError)):
            anyio.run(OidcKeys(provider.url, algorithms=BOTH, timeout_s=0.3).read)

        assert time.monotonic() - started < 3
        assert provider.asked["/other"] == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.1.2.3"])
def test_an_issuer_elsewhere_does_not_send_us_home(host: str) -> None:
    """Keys of somebody else are not looked up at what only this machine can reach; another host of theirs is fine."""
    told = {"issuer": ISSUER, "jwks_uri": f"https://{host}/admin"}
    with pytest.raises(ValueError, match="this very machine"):
        jwks_uri_of(json.dumps(told).encode(), ISSUER)

    told["jwks_uri"] = "https://keys.example/set?of=all"
    assert jwks_uri_of(json.dumps(told).encode(), ISSUER) == told["jwks_uri"]


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
def test_keys_come_over_tls_or_from_this_machine(address: str) -> None:
    """An address where anybody in between could put other keys is refused when the server starts."""
    with pytest.raises(ValueError):  # noqa: PT011  # a port that is none is told by the library
        OidcKeys(address, algorithms=BOTH)
    if "://" in address:
        with pytest.raises(ValueError):  # noqa: PT011
            OidcKeys(ISSUER, keys=address, algorithms=BOTH)
