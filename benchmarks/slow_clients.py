"""
Measure how long the server waits for slow clients of each kind, and how they affect a fast client.

    python -m benchmarks.slow_clients                     500 connections, with the default settings
    python -m benchmarks.slow_clients --connections 100

A quarter of the connections each sends a byte of its headers every ten seconds, sends a byte of its body every second,
never reads its response, or sends one request and stays open. At the same time one client requests predictions; its
99th percentile is compared with that of the same client alone.
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

GIVE_UP_S = 60.0
# By then, the uploads of the clients that never read have been answered as far as these accept it.
SETTLED_S = 5.0


@dataclass
class Client:
    """One connection, and how long it lasted until the server closed it."""

    kind: str
    connection: socket.socket
    every_s: float = 0.0
    next_s: float = 0.0
    began_s: float = field(default_factory=time.monotonic)
    lasted_s: float = 0.0
    received: bytes = b""


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
    client = Client("sends one request and stays open", connect(port))
    client.connection.sendall(request(method="GET", target="/health/live"))
    return client


KINDS: tuple[Callable[[int, str], Client], ...] = (_headers, _body, _reader, _idle)


def _state(connection: socket.socket) -> int:
    """Return the state of the TCP connection from the kernel; 1 is established."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


def _stay_slow(clients: list[Client]) -> None:
    """Stay slow until the server has closed every connection, or until it is time to give up."""
    with selectors.DefaultSelector() as readable:
        for client in clients:
            client.connection.setblocking(False)
            if client.kind != "never reads":
                readable.register(client.connection, selectors.EVENT_READ, client)
        ends_s = time.monotonic() + GIVE_UP_S
        while time.monotonic() < ends_s and not all(client.lasted_s for client in clients):
            for key, _ in readable.select(0.1):
                _read(key.data, readable)
            for client in clients:
                _continue(client)


def _read(client: Client, readable: selectors.BaseSelector) -> None:
    try:
        piece = client.connection.recv(2**16)
    except ConnectionResetError:
        piece = b""
    client.received += piece
    if not piece:
        client.lasted_s = time.monotonic() - client.began_s
        readable.unregister(client.connection)


def _continue(client: Client) -> None:
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
    url: str, headers: dict[str, str], ended: Event, results: "Connection[list[tuple[float, float]], object]"
) -> None:
    times_s: list[tuple[float, float]] = []
    with httpx2.Client(base_url=url, headers=headers, timeout=30) as client:
        while not ended.is_set():
            began = time.perf_counter()
            assert client.post("/api/v1/predict", json={"instances": [ROW]}).status_code == 200
            times_s.append((began, time.perf_counter() - began))
            time.sleep(0.005)
    results.send(times_s)


def _p99_ms(times_s: list[float]) -> float:
    return statistics.quantiles(times_s, n=100)[98] * 1000


def _fast_client(api: Api, meanwhile: Callable[[], object]) -> tuple[float, float]:
    """Return the 99th percentile of a fast client in ms during a call: of all requests, and after SETTLED_S."""
    # A separate process, so that it waits only for the server and not for the slow clients here.
    context = multiprocessing.get_context("fork")
    ended, (receiver, sender) = context.Event(), context.Pipe(duplex=False)
    url = f"http://127.0.0.1:{api.server.port}"
    client = context.Process(target=_measure, args=(url, api.headers, ended, sender))
    client.start()
    try:
        meanwhile()
    finally:
        ended.set()
        times_s = receiver.recv()
        client.join()
    settled = times_s[0][0] + SETTLED_S
    return _p99_ms([took for _, took in times_s]), _p99_ms([took for began, took in times_s if began > settled])


def main() -> int:
    """Print one line per kind of slow client, and the times of the fast client."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=500)
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts/models"))
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with tempfile.TemporaryDirectory() as folder:
        env = environment(artifacts=arguments.artifacts.absolute(), state=Path(folder), log_format="json")
        with Server(env) as server:
            api = Api(server, server.bearer())
            alone_ms, _ = _fast_client(api, lambda: time.sleep(20))
            token = api.headers["Authorization"]
            clients = [KINDS[number % len(KINDS)](server.port, token) for number in range(arguments.connections)]
            together_ms = _fast_client(api, lambda: _stay_slow(clients))
            _report(clients, alone_ms, together_ms)
            for client in clients:
                client.connection.close()
    return int(any(not 0 < client.lasted_s <= 30 for client in clients))


def _report(clients: list[Client], alone_ms: float, together_ms: tuple[float, float]) -> None:
    print("| kind | connections | closed | after at most | status |")
    print("|---|---|---|---|---|")
    for kind in dict.fromkeys(client.kind for client in clients):
        own = [client for client in clients if client.kind == kind]
        closed = [client.lasted_s for client in own if client.lasted_s]
        statuses = sorted({client.received[9:12].decode() for client in own if client.received})
        print(f"| {kind} | {len(own)} | {len(closed)} | {max(closed, default=0):.1f} s | {' '.join(statuses) or '-'} |")
    print(f"\nfast client, 99th percentile: {alone_ms:.1f} ms alone, {together_ms[1]:.1f} ms with slow clients, and")
    print(f"{together_ms[0]:.1f} ms including the first {SETTLED_S:g} s, in which the server answers uploads")


if __name__ == "__main__":
    sys.exit(main())
