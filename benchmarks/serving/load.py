"""Load: bodies in a file, sent by wrk from another core; and one request, to see that the answer is right."""

import http.client
import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.serving.dialects import Table
from benchmarks.serving.peer import Cell, Peer, Place
from benchmarks.serving.process import NotMeasured

SCRIPT = Path(__file__).with_name("post.lua")
# Bodies of a cell, each of other rows, sent in turn: no answer can be remembered from the request before.
BODIES = {1: 100, 10: 50, 100: 20, 1000: 5}
TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Load:
    """
    What came of a few seconds of requests.

    Attributes:
        requests: How many were answered.
        seconds: In how long.
        p50_us: Half of them within that time.
        p99_us: All but one in a hundred.
        errors: How many failed: a status of 400 or more, a connection, a timeout.
    """

    requests: int
    seconds: float
    p50_us: int
    p99_us: int
    errors: int


def places(cell: Cell, table: Table) -> list[list[int]]:
    """The rows of each body of a cell, as their places in the table."""
    return [table.places(number, size=cell.rows) for number in range(BODIES.get(cell.rows, 2))]


def bodies(peer: Peer, cell: Cell, table: Table) -> list[bytes]:
    """The bodies of a cell."""
    return [
        json.dumps(peer.dialect.body(table, [table.rows[place] for place in chosen]), separators=(",", ":")).encode()
        for chosen in places(cell, table)
    ]


def ask(url: str, body: bytes, *, token: str) -> tuple[int, bytes]:
    """One request: status and body of its answer."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=TIMEOUT_S)
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    try:
        connection.request("POST", f"{parts.path}?{parts.query}" if parts.query else parts.path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def press(url: str, sent: Sequence[bytes], place: Place, *, token: str, concurrency: int, seconds: int) -> Load:
    """Send the bodies for that long, and count."""
    file = place.folder / "bodies.txt"
    file.write_bytes(b"".join(body + b"\n" for body in sent))
    done = subprocess.run(
        [
            "wrk", "--threads", "1", "--connections", str(concurrency), "--duration", f"{seconds}s",
            "--timeout", f"{TIMEOUT_S}s", "--script", SCRIPT, url, "--", file,
        ],
        env={**os.environ, **({"TOKEN": token} if token else {})},
        check=False, capture_output=True, text=True, timeout=seconds + 2 * TIMEOUT_S,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise NotMeasured(f"wrk ended with {done.returncode}: {done.stderr[-300:]}")
    return Load(**json.loads(lines[-1]))
