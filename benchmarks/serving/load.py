"""Load: bodies in a file that wrk sends from another core; and single requests to check predictions."""

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
# The number of bodies of a cell by its rows. They have different rows and are sent in turn, so that a server cannot
# cache the previous prediction.
BODIES = {1: 100, 10: 50, 100: 20, 1000: 5}
TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Load:
    """
    The result of a few seconds of requests.

    Attributes:
        requests: The number of responses.
        seconds: The duration.
        p50_us: The median latency.
        p99_us: The 99th percentile of the latency.
        errors: The number of failures: a status of 400 or more, a connection error, a timeout.
    """

    requests: int
    seconds: float
    p50_us: int
    p99_us: int
    errors: int


def places(cell: Cell, table: Table) -> list[list[int]]:
    """Return the rows of each body of a cell, as places in the table."""
    return [table.places(number, size=cell.rows) for number in range(BODIES.get(cell.rows, 2))]


def bodies(peer: Peer, cell: Cell, table: Table) -> list[bytes]:
    """Return the bodies of a cell."""
    return [
        json.dumps(peer.dialect.body(table, [table.rows[place] for place in chosen]), separators=(",", ":")).encode()
        for chosen in places(cell, table)
    ]


def post(url: str, body: bytes, *, token: str) -> tuple[int, bytes]:
    """Send one request, and return the status and the body of the response."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=TIMEOUT_S)
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    try:
        connection.request("POST", f"{parts.path}?{parts.query}" if parts.query else parts.path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def press(url: str, sent: Sequence[bytes], place: Place, *, token: str, concurrency: int, seconds: int) -> Load:
    """Send the bodies for this many seconds, and return the result."""
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
