"""Raw bytes on a socket: requests that no client would send, and all responses until the connection ends."""

import json
import re
import socket
from dataclasses import dataclass
from typing import Any

from tests.support.server import Server

ANSWER_S = 15.0


@dataclass(frozen=True)
class Answer:
    """A response as received."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        """The problem in the body."""
        assert self.headers["content-type"] == "application/problem+json", self
        found: dict[str, Any] = json.loads(self.body)
        return found


def connect(port: int, *, receive_bytes: int = 0) -> socket.socket:
    """Open a connection, to be closed by `with`."""
    client = socket.socket()
    if receive_bytes:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    client.settimeout(ANSWER_S)
    client.connect(("127.0.0.1", port))
    return client


def exchange(server: Server, sent: bytes) -> list[Answer]:
    """Send these bytes, and read responses until the server closes."""
    with connect(server.port) as client:
        client.sendall(sent)
        return answers(until_closed(client))


def until_closed(client: socket.socket) -> bytes:
    """Read until the server closes."""
    came = bytearray()
    while piece := client.recv(2**16):
        came += piece
    return bytes(came)


def answers(came: bytes) -> list[Answer]:
    """Split received bytes into responses, without a rest."""
    found = []
    while came:
        head, _, came = came.partition(b"\r\n\r\n")
        status, _, lines = head.decode("latin-1").partition("\r\n")
        headers = {name.lower(): value for name, value in re.findall(r"^([^:\r\n]+): ([^\r\n]*)", lines, re.MULTILINE)}
        code = int(re.fullmatch(r"HTTP/1\.1 ([0-9]{3}) [A-Za-z '-]*", status)[1])  # type: ignore[index]  # or it fails
        size = int(headers.get("content-length", 0))
        found.append(Answer(code, headers, came[:size]))
        came = came[size:]
    return found


def request(*lines: str, method: str = "POST", target: str = "/api/v1/predict", body: bytes = b"") -> bytes:
    """Return a request with a Host and these header lines."""
    head = "\r\n".join([f"{method} {target} HTTP/1.1", "Host: sepal", *lines, "", ""])
    return head.encode("latin-1") + body
