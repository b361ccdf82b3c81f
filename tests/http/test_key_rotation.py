"""Changes of keys while a server runs: of its own in a file, and of an issuer."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx2
import pytest

from serve.auth.signing_keys import retire_key, save, use_key
from tests.support import tuned_server
from tests.support.keys import kinds, own_keys, public_jwk, published, rs256, rsa_key
from tests.support.oidc_provider import Provider
from tests.support.server import Server, environment, free_port

CURVE, PAIR, _ = own_keys()
SOON_S = 15.0
RENEWED_S = 0.3


@dataclass
class Deployment:
    """A server with keys in a file, and with an issuer that is not running yet."""

    server: Server
    file: Path
    provider_port: int

    def status(self, token: str) -> int:
        """Return the status of a request with this token."""
        return self.server.client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code

    def becomes(self, token: str, status: int) -> bool:
        """Return whether a request with this token soon has this status."""
        return soon(lambda: self.status(token) == status)

    @property
    def published_kids(self) -> list[str]:
        """The ids of the published keys."""
        return [key["kid"] for key in self.server.client.get("/.well-known/jwks.json").json()["keys"]]


def soon(holds: Callable[[], bool]) -> bool:
    """Return whether a condition becomes true within the time that a change of keys may take."""
    deadline = time.monotonic() + SOON_S
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture(scope="module")
def deployment(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Start with one ES256 key, and with an issuer that does not answer."""
    folder, port = tmp_path_factory.mktemp("rotated"), free_port()
    file = folder / "keys.json"
    save(file, (CURVE,))
    env = environment(
        artifacts=store,
        state=folder,
        token_keys=file,
        oidc_issuer=f"http://127.0.0.1:{port}",
        oidc_audience="sepal-api",
        log_format="json",
    )
    with Server(tuned_server.tuned(env, issuer_s=0.2), command=tuned_server.COMMAND) as running:
        yield Deployment(running, file, port)


@dataclass
class Load:
    """A client that calls without a pause, with all of its tokens, and logs in again now and then."""

    server: Server
    tokens: list[str] = field(default_factory=list)
    failed: list[tuple[int, str]] = field(default_factory=list)
    asked: int = 0

    def __enter__(self) -> Self:
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.tokens.append(self.server.token("predict"))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _ask(self) -> None:
        renewed = time.monotonic()
        with httpx2.Client(base_url=f"http://127.0.0.1:{self.server.port}", timeout=30) as client:
            while not self._ends.is_set():
                for token in list(self.tokens):
                    answer = client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
                    self.asked += 1
                    if answer.status_code != 200:
                        self.failed.append((answer.status_code, kid(token)))
                if time.monotonic() > renewed + RENEWED_S:
                    self.tokens[1:] = [*self.tokens[-2:], self.server.token("predict")]
                    renewed = time.monotonic()


def kid(token: str) -> str:
    """Return the id of the key that has signed a token."""
    head = token.partition(".")[0]
    header: Any = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    return str(header["kid"])


def test_a_change_of_keys_logs_no_user_out(deployment: Deployment) -> None:
    """Under load, adding and using a key fails no request; after the old key is retired, its tokens are 401."""
    file = deployment.file
    with Load(deployment.server) as load:
        old = load.tokens[0]
        save(file, (CURVE, PAIR))
        assert soon(lambda: deployment.published_kids == [CURVE.kid, PAIR.kid])
        use_key(file, PAIR.kid)
        assert soon(lambda: kid(deployment.server.token("predict")) == PAIR.kid)
        whole = file.read_text()
        file.write_text("broken")
        assert deployment.server.line("keys not renewed", "keyring")["level"] == "error"
        assert soon(lambda: {kid(token) for token in load.tokens[1:]} == {PAIR.kid})
    new = deployment.server.token("predict")

    assert load.failed == []
    assert load.asked > 200
    file.write_text(whole)
    retire_key(file, CURVE.kid)
    assert deployment.becomes(old, 401)
    assert deployment.status(new) == 200
    assert deployment.published_kids == [PAIR.kid]
    metrics = deployment.server.client.get("/metrics", headers=deployment.server.bearer("metrics:read")).text
    assert 'sepal_key_renewal_failures_total{source="keyring"}' in metrics


def test_only_public_keys_are_published(deployment: Deployment) -> None:
    """The public keys need no token, may be cached, and have no private members."""
    answer = deployment.server.client.get("/.well-known/jwks.json")

    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.headers["content-type"] == "application/jwk-set+json"
    assert {name for key in answer.json()["keys"] for name in key} <= {
        "kty", "kid", "alg", "use", "n", "e", "crv", "x", "y",
    }  # fmt: skip
    assert deployment.server.client.head("/.well-known/jwks.json").status_code == 200


def test_an_issuer_starts_changes_its_keys_and_stops(deployment: Deployment) -> None:
    """Tokens are verified by the issuer's current keys, from its first answer on, also while it is down or broken."""
    issuer = f"http://127.0.0.1:{deployment.provider_port}"
    kind = kinds()["theirs-rs"]
    token = kind.token(claims={"iss": issuer})
    moved = kind.token({"kid": "next"}, {"iss": issuer}, rs256(rsa_key("next")))
    changed = {"keys": [public_jwk(rsa_key("next"), kid="next", use="sig")]}

    assert deployment.status(token) == 401
    with Provider(published(), port=deployment.provider_port) as provider:
        assert deployment.becomes(token, 200)
        assert deployment.status(moved) == 401
        provider.publish(changed)
        assert deployment.becomes(moved, 200)
        assert deployment.status(token) == 401
        asked = provider.asked.total()
        provider.publish(b"<html>")
        assert soon(lambda: provider.asked.total() > asked + 4)
        assert deployment.status(moved) == 200
    assert deployment.server.line("keys not renewed", "issuer", "Errno 111")["level"] == "error"
    assert deployment.status(moved) == 200
    assert deployment.server.client.get("/health/ready").status_code == 200
