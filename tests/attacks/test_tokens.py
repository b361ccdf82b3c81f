"""Attacks on every kind of valid token, in memory and over HTTP."""

import asyncio
import json
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jose.backends import cryptography_backend

from serve.auth.callers import Callers
from serve.auth.jwk_sets import read_public_set
from serve.auth.oidc import OidcVerifier
from serve.auth.signing_keys import save
from serve.auth.tokens import Tokens
from serve.errors import Unauthenticated
from tests.support.keys import ISSUER, KINDS, SECRET, Kind, kinds, own_keys, published
from tests.support.server import Server, environment
from tests.support.token_attacks import attacks, mutations

MUTATED = 600
REFUSED = 'Bearer error="invalid_token"'
MUTATED_OVER_HTTP = 60


@pytest.fixture(scope="module")
def callers() -> Callers:
    """A deployment with a key of every kind and an issuer."""
    outside = OidcVerifier(issuer=ISSUER, audience="sepal-api", algorithms=("RS256", "ES256"), scope_claim="scope")
    outside.replace_keys(read_public_set(json.dumps(published()).encode(), ("RS256", "ES256")))
    return Callers(Tokens(own_keys(), issuer="sepal", audience="sepal", ttl_s=600), oidc=outside)


@pytest.fixture(scope="module")
def attacked(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The same deployment as a server."""
    folder = tmp_path_factory.mktemp("attacked")
    save(folder / "keys.json", own_keys()[:2])
    (folder / "issuer.json").write_text(json.dumps(published()))
    env = environment(
        artifacts=store,
        state=folder,
        secret_key=SECRET,
        token_keys=folder / "keys.json",
        oidc_issuer=ISSUER,
        oidc_audience="sepal-api",
        oidc_jwks=folder / "issuer.json",
        log_format="json",
        expose="docs",
    )
    with Server(env) as running:
        yield running


def is_valid(callers: Callers, token: str) -> bool:
    """Return whether a token is valid; verification awaits nothing here, so it needs no event loop."""
    try:
        callers.verify(token).send(None)
    except StopIteration:
        return True
    except Unauthenticated:
        return False
    raise AssertionError("the verification waits for something")


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_valid_before_an_attack(callers: Callers, attacked: Server, name: str) -> None:
    """The tokens that are attacked below are valid, so each refusal is due to the attack."""
    kind = kinds()[name]

    answer = attacked.client.get("/api/v1/me", headers={"Authorization": f"Bearer {kind.token()}"})

    assert is_valid(callers, kind.token())
    assert answer.json() == {"name": "oidc:4f1c" if kind.is_outside else "ada", "scopes": ["predict"]}


@pytest.mark.parametrize("name", KINDS)
def test_attacks_are_refused(callers: Callers, name: str) -> None:
    """The attacks of public advisories are refused, each in less than 50 ms."""
    slowest, taken, tried = 0.0, [], 0
    for attack, token in attacks(kinds()[name]):
        times = []
        for _ in range(2):
            started = time.thread_time()
            if is_valid(callers, token):
                taken.append(attack)
            times.append(time.thread_time() - started)
        slowest, tried = max(slowest, min(times)), tried + 1

    assert taken == []
    assert tried > 200
    assert slowest < 0.05


@pytest.mark.parametrize("name", KINDS)
def test_mutations_are_refused(callers: Callers, name: str) -> None:
    """A valid token with any change is invalid."""
    taken = [token for token in mutations(kinds()[name], count=MUTATED, seed=7) if is_valid(callers, token)]

    assert taken == []


@pytest.mark.parametrize("name", KINDS)
def test_attacks_are_refused_over_http(attacked: Server, name: str) -> None:
    """Every attack that fits into a header is 401 with the same body and a challenge."""
    kind = kinds()[name]
    tokens = [token for _, token in attacks(kind)][::3] + list(mutations(kind, count=MUTATED_OVER_HTTP, seed=11))
    sent, problems = 0, set()
    for token in tokens:
        if token.isascii() and token.isprintable() and token == token.strip() and len(token) < 9000:
            answer = attacked.client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, REFUSED), token
            problems.add(json.dumps({**answer.json(), "instance": ""}))
            sent += 1

    assert sent > 100
    assert len(problems) == 1


REASONS = {
    "not a token": (lambda _: "garbage", "unknown key"),
    "of an unknown key": (lambda kind: kind.token({"kid": "unknown"}), "unknown key"),
    "of a stranger": (lambda kind: kind.token(sign=lambda _: bytes(64)), "invalid signature"),
    "expired": (lambda kind: kind.token(claims={"iat": 1, "nbf": 1, "exp": 2}), "expired"),
    "early": (lambda kind: kind.token(claims={"nbf": int(time.time()) + 300}), "not valid yet"),
    "for another": (lambda kind: kind.token(claims={"aud": "elsewhere"}), "other audience"),
    "of another": (lambda kind: kind.token(claims={"iss": "elsewhere"}), "other issuer"),
    "without a subject": (lambda kind: kind.token(claims={"sub": ""}), "invalid claims"),
    "with a tab": (lambda kind: kind.token(claims={"scope": "predict\tbatch"}), "invalid claims"),
    "long": (lambda _: "a" * 8193, "too long"),
    "of no key": (lambda _: "sepal_x", "malformed key"),
    "of a key that is gone": (lambda _: f"sepal_{'0' * 16}_{'0' * 64}", "unknown key"),
}


@pytest.mark.parametrize("name", ["ours-es", "theirs-es"])
@pytest.mark.parametrize(("make", "reason"), REASONS.values(), ids=REASONS)
def test_the_log_has_the_reason(attacked: Server, name: str, make: Callable[[Kind], str], reason: str) -> None:
    """The log line of a refused request has the reason and the id; the response does not have the reason."""
    request_id = uuid.uuid4().hex
    headers = {"Authorization": f"Bearer {make(kinds()[name])}", "X-Request-ID": request_id}

    answer = attacked.client.get("/api/v1/me", headers=headers)
    without = attacked.client.get("/api/v1/me", headers={"X-Request-ID": f"{request_id}-0"})

    line = attacked.line(f'"{request_id}"')
    assert (line["event"], line["status"], line["refused"]) == ("request", 401, reason)
    assert "refused" not in attacked.line(f"{request_id}-0")
    assert answer.json() | {"instance": ""} == without.json() | {"instance": ""}
    assert (answer.headers["www-authenticate"], without.headers["www-authenticate"]) == (REFUSED, "Bearer")


def test_a_missing_scope_is_named(attacked: Server) -> None:
    """A valid token without the scope is 403 with the code of RFC 6750 and the missing scope."""
    headers = {"Authorization": f"Bearer {kinds()['ours-es'].token()}"}

    answer = attacked.client.get("/api/v1/models", headers=headers)

    assert answer.status_code == 403
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="models:read"'


def test_response_times_do_not_reveal_the_reason(attacked: Server) -> None:
    """The median response times of all kinds of invalid tokens differ by less than 5 ms."""
    every = kinds()
    reasons = {
        "garbage": "garbage",
        "unknown kid": every["theirs-rs"].token({"kid": "unknown"}),
        "bad signature": every["ours-rs"].token(sign=lambda _: bytes(256)),
        "bad signature on the curve": every["theirs-es"].token(sign=lambda _: bytes(64)),
        "expired": every["ours-es"].token(claims={"exp": 1}),
        "of another audience": every["theirs-rs"].token(claims={"aud": "x"}),
    }
    times: dict[str, list[float]] = {reason: [] for reason in reasons}
    for _ in range(30):
        for reason, token in reasons.items():
            started = time.perf_counter()
            attacked.client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
            times[reason].append(time.perf_counter() - started)

    medians = [statistics.median(taken) for taken in times.values()]
    assert max(medians) - min(medians) < 0.005


@pytest.mark.parametrize("token", ["." * 60_000, "A" * 2**16, "." * 10**6], ids=["dots", "large", "a million dots"])
def test_large_tokens_are_refused_unparsed(attacked: Server, token: str) -> None:
    """A token that could fill the memory is refused before it is parsed."""
    before = attacked.cpu_s

    answer = attacked.client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code in {400, 401, 431}
    assert attacked.cpu_s - before < 0.05
    assert attacked.client.get("/health/live").status_code == 200


_WATCHED: list[str] = []
_IS_WATCHING = [False]


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if _IS_WATCHING[0] and event in {"open", "os.open", "socket.connect", "socket.getaddrinfo", "subprocess.Popen"}:
        _WATCHED.append(f"{event} {arguments[:1]}")


def test_a_token_causes_no_access_to_files_or_network(callers: Callers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a header contains, no file is opened, no connection is made, and at most one key is tried."""
    tried: list[int] = [0]
    for kind in (
        cryptography_backend.CryptographyHMACKey,
        cryptography_backend.CryptographyRSAKey,
        cryptography_backend.CryptographyECKey,
    ):

        def verify(key: object, body: bytes, signature: bytes, ask: object = kind.verify) -> bool:
            tried[0] += 1
            return bool(ask(key, body, signature))  # type: ignore[operator]  # bound when it was defined

        monkeypatch.setattr(kind, "verify", verify)
    sys.addaudithook(_watch)
    loop = asyncio.new_event_loop()
    most, seen = 0, 0
    _IS_WATCHING[0] = True
    try:
        for name in KINDS:
            for _, token in attacks(kinds()[name]):
                tried[0] = 0
                with pytest.raises(Unauthenticated):
                    loop.run_until_complete(callers.verify(token))
                most, seen = max(most, tried[0]), seen + 1
    finally:
        _IS_WATCHING[0] = False
        loop.close()

    assert seen > 1000
    assert most == 1
    assert _WATCHED == []


@pytest.mark.parametrize("place", ["query", "cookie", "twice", "twice, the good one first", "joined", "with a tail"])
def test_a_token_is_accepted_in_one_header_only(attacked: Server, place: str) -> None:
    """A valid token in the URL, in a cookie, or with a second one is refused, also when it is repeated."""
    token = kinds()["ours-hs"].token()
    good, bad = ("Authorization", f"Bearer {token}"), ("Authorization", "Bearer garbage")
    query = f"?access_token={token}" if place == "query" else ""
    headers = {
        "query": [],
        "cookie": [("Cookie", f"access_token={token}; token={token}; Authorization=Bearer {token}")],
        "twice": [bad, good],
        "twice, the good one first": [good, bad],
        "joined": [("Authorization", f"Bearer {token}, Bearer {token}")],
        "with a tail": [("Authorization", f"Bearer {token}\u00a0".encode("latin-1"))],
    }[place]
    body = {"instances": [[5.1, 3.5, 1.4, 0.2]]}
    url = "/api/v1/models/iris/predict"

    assert attacked.client.post(url, json=body, headers=dict([good])).status_code == 200
    for _ in range(2):
        answer = attacked.client.post(url + query, json=body, headers=headers)  # type: ignore[arg-type]  # bytes too
        assert answer.status_code == 401


def test_an_external_token_is_revoked_alone(attacked: Server) -> None:
    """Revoking an external token leaves other tokens of the same key valid, and only its own user may do it."""
    kind = kinds()["theirs-rs"]
    mine, another, others = kind.token(), kind.token(claims={"scope": "batch"}), kind.token(claims={"sub": "5a2d"})

    revoked = [_revoke(attacked, mine, by=mine), _revoke(attacked, others, by=another)]

    assert revoked == [200, 200]
    assert [_status(attacked, token) for token in (mine, another, others)] == [401, 200, 200]


def _status(server: Server, token: str) -> int:
    return server.client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code


def _revoke(server: Server, token: str, *, by: str) -> int:
    headers = {"Authorization": f"Bearer {by}"}
    return server.client.post("/api/v1/token/revoke", data={"token": token}, headers=headers).status_code
