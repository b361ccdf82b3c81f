"""
Clients that are slow on purpose: how long the server bears with each kind, and what a quick client notices.

    python -m benchmarks.slow_clients                     500 connections, with the settings as they are by default
    python -m benchmarks.slow_clients --connections 100

A quarter each sends a byte of its headers every ten seconds, sends a byte of its body every second, never reads its
answer, or asks once and then stays. Beside them one client asks for predictions; its 99th percentile is compared with
that of the same client alone.
"""

import argparse
import multiprocessing
import resource
import selectors
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path

import httpx2

from tests.support.bodies import LINE, ROW, table
from tests.support.raw_http import connect, request
from tests.support.server import Api, Server, environment

GIVEN_UP_S = 60.0
# Those who never read have uploaded a CSV, and by then it has been answered as far as they take it.
SETTLED_S = 5.0


@dataclass
class Client:
    """One connection, and when it was closed by the server."""

    kind: str
    connection: socket.socket
    every_s: float = 0.0
    next_s: float = 0.0
    began_s: float = field(default_factory=time.monotonic)
    lasted_s: float = 0.0
    came: bytes = b""


def _headers(port: int, _token: str) -> Client:
    client = Client("a byte of its headers every 10 s", connect(port), every_s=10.0)
    client.connection.sendall(b"GET /")
    return client


def _body(port: int, token: str) -> Client:
    client = Client("a byte of its body every second", connect(port), every_s=1.0)
    lines = [f"Authorization: {token}", "Content-Type: text/csv", "Content-Length: 1000"]
    client.connection.sendall(request(*lines, target="/api/v1/predict/csv"))
    return client


def _reader(port: int, token: str) -> Client:
    client = Client("never reads", connect(port, receive_bytes=4096))
    body = table(*[LINE] * 100_000)
    lines = [f"Authorization: {token}", "Content-Type: text/csv", f"Content-Length: {len(body)}"]
    client.connection.sendall(request(*lines, target="/api/v1/predict/csv", body=body))
    client.began_s = time.monotonic()
    return client


def _idle(port: int, _token: str) -> Client:
    client = Client("asks once and stays", connect(port))
    client.connection.sendall(request(method="GET", target="/health/live"))
    return client


KINDS: tuple[Callable[[int, str], Client], ...] = (_headers, _body, _reader, _idle)


def _state(connection: socket.socket) -> int:
    """The state of the connection as Linux has it; 1 is established."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


def _bear(clients: list[Client]) -> None:
    """Go on being slow until the server has closed every connection, or nobody waits any longer."""
    with selectors.DefaultSelector() as readable:
        for client in clients:
            client.connection.setblocking(False)
            if client.kind != "never reads":
                readable.register(client.connection, selectors.EVENT_READ, client)
        ends_s = time.monotonic() + GIVEN_UP_S
        while time.monotonic() < ends_s and not all(client.lasted_s for client in clients):
            for key, _ in readable.select(0.1):
                _read(key.data, readable)
            for client in clients:
                _go_on(client)


def _read(client: Client, readable: selectors.BaseSelector) -> None:
    try:
        piece = client.connection.recv(2**16)
    except ConnectionResetError:
        piece = b""
    client.came += piece
    if not piece:
        client.lasted_s = time.monotonic() - client.began_s
        readable.unregister(client.connection)


def _go_on(client: Client) -> None:
    now = time.monotonic()
    if client.lasted_s:
        return
    if client.kind == "never reads" and _state(client.connection) != 1:
        client.lasted_s = now - client.began_s
    if client.every_s and now >= client.next_s:
        client.next_s = now + client.every_s
        try:
            client.connection.send(b"a")
        except OSError:
            client.next_s = float("inf")


def _measure(
    url: str, headers: dict[str, str], ended: Event, told: "Connection[list[tuple[float, float]], object]"
) -> None:
    found_s: list[tuple[float, float]] = []
    with httpx2.Client(base_url=url, headers=headers, timeout=30) as client:
        while not ended.is_set():
            began = time.perf_counter()
            assert client.post("/api/v1/predict", json={"instances": [ROW]}).status_code == 200
            found_s.append((began, time.perf_counter() - began))
            time.sleep(0.005)
    told.send(found_s)


def _p99_ms(times_s: list[float]) -> float:
    return statistics.quantiles(times_s, n=100)[98] * 1000


def _quick_client(api: Api, meanwhile: Callable[[], object]) -> tuple[float, float]:
    """Its 99th percentile in ms while something else goes on: all the time, and when that has gone on for a while."""
    # A process of its own: it shall wait for the server, and not for those who are slow here.
    context = multiprocessing.get_context("fork")
    ended, (heard, told) = context.Event(), context.Pipe(duplex=False)
    url = f"http://127.0.0.1:{api.server.port}"
    asking = context.Process(target=_measure, args=(url, api.headers, ended, told))
    asking.start()
    try:
        meanwhile()
    finally:
        ended.set()
        found_s = heard.recv()
        asking.join()
    settled = found_s[0][0] + SETTLED_S
    return _p99_ms([took for _, took in found_s]), _p99_ms([took for began, took in found_s if began > settled])


def main() -> int:
    """Print a line for each kind of slowness, and what the quick client noticed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=500)
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts/models"))
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with tempfile.TemporaryDirectory() as folder:
        env = environment(artifacts=arguments.artifacts.absolute(), state=Path(folder), log_format="json")
        with Server(env) as server:
            api = Api(server, server.bearer())
            alone_ms, _ = _quick_client(api, lambda: time.sleep(20))
            token = api.headers["Authorization"]
            clients = [KINDS[number % len(KINDS)](server.port, token) for number in range(arguments.connections)]
            beside_ms = _quick_client(api, lambda: _bear(clients))
            _report(clients, alone_ms, beside_ms)
            for client in clients:
                client.connection.close()
    return int(any(not 0 < client.lasted_s <= 30 for client in clients))


def _report(clients: list[Client], alone_ms: float, beside_ms: tuple[float, float]) -> None:
    print("| kind | connections | closed | after at most | told |")
    print("|---|---|---|---|---|")
    for kind in dict.fromkeys(client.kind for client in clients):
        own = [client for client in clients if client.kind == kind]
        closed = [client.lasted_s for client in own if client.lasted_s]
        told = sorted({client.came[9:12].decode() for client in own if client.came})
        print(f"| {kind} | {len(own)} | {len(closed)} | {max(closed, default=0):.1f} s | {' '.join(told) or '-'} |")
    print(f"\nquick client, 99th percentile: {alone_ms:.1f} ms alone, {beside_ms[1]:.1f} ms beside them, and")
    print(f"{beside_ms[0]:.1f} ms with the first {SETTLED_S:g} s, while a quarter of them have a CSV answered")


if __name__ == "__main__":
    sys.exit(main())
