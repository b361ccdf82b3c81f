"""
Send requests that the server refuses, and measure how much resident memory each kind costs.

    python -m benchmarks.rejected                        10,000 of each kind, after 1,000 for warm-up
    python -m benchmarks.rejected --requests 1000
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.bodies import cell
from tests.support.raw_http import exchange, request
from tests.support.server import Server, environment

WARM_UP = 1000
MOST_MIB = 2
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Refused:
    """One kind of refused request and its status; `raw` headers are sent over a socket, because no client would."""

    status: int
    method: str = "POST"
    path: str = "/api/v1/predict"
    body: bytes = b""
    headers: Mapping[str, str] | None = None
    has_token: bool = True
    raw: tuple[str, ...] = ()


KINDS = {
    "no token": Refused(401, body=cell("0.2"), has_token=False),
    "a bad token": Refused(401, body=cell("0.2"), headers={"Authorization": "Bearer x.y.z"}, has_token=False),
    "malformed JSON": Refused(400, body=cell("0.2")[:-1]),
    "wrong columns": Refused(422, body=b'{"instances": [{"a": 1, "b": 2}]}'),
    "too large": Refused(413, raw=("Content-Length: 1000000000",)),
    "an unknown path": Refused(404, method="GET", path="/api/v1/{}"),
    "an unknown model": Refused(404, path="/api/v1/models/m{}/predict", body=cell("0.2")),
    "a bad login form": Refused(400, path="/api/v1/token", body=b"username=a&username=b", has_token=False),
    "not HTTP": Refused(400, raw=("Transfer-Encoding: xchunked",)),
    "large headers": Refused(431, raw=("A: " + "b" * 20_000,)),
}


def send(server: Server, kind: Refused, token: str, number: int) -> None:
    """Send one request, with its number in the path if the kind has a placeholder."""
    if kind.raw:
        sent = request(f"Authorization: {token}", "Content-Type: application/json", *kind.raw)
        assert [answer.status for answer in exchange(server, sent)] == [kind.status]
        return
    headers = {**_JSON, **({"Authorization": token} if kind.has_token else {}), **(kind.headers or {})}
    if kind.path.endswith("/token"):
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    answer = server.client.request(kind.method, kind.path.format(number), content=kind.body, headers=headers)
    assert answer.status_code == kind.status, answer.text


def grown_mib(server: Server, kind: Refused, token: str, *, requests: int, warm_up: int) -> float:
    """Return by how much the resident memory grew, in MiB."""
    for number in range(warm_up):
        send(server, kind, token, number)
    before = server.memory_mib()
    for number in range(warm_up, warm_up + requests):
        send(server, kind, token, number)
    return server.memory_mib() - before


def main() -> int:
    """Print one line per kind; return 1 if memory grew too much for any."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts/models"))
    arguments = parser.parse_args()
    most = 0.0
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        env = environment(artifacts=arguments.artifacts.absolute(), state=state, log_format="json", token_ttl_s=36_000)
        with Server(env) as server:
            token = server.bearer()["Authorization"]
            for name, kind in KINDS.items():
                grown = grown_mib(server, kind, token, requests=arguments.requests, warm_up=WARM_UP)
                most = max(most, grown)
                print(f"{name:20} {kind.status}  {grown:+.1f} MiB", flush=True)
    return int(most >= MOST_MIB)


if __name__ == "__main__":
    sys.exit(main())
