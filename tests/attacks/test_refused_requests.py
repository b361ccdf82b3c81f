"""Refused requests: no memory leak, valid log lines, and a bounded number of time series."""

import json
import uuid

import pytest

from benchmarks.rejected import KINDS, grown_mib
from tests.support.bodies import LINE, instances, table
from tests.support.raw_http import exchange, request
from tests.support.server import Api

# Texts that would break a line, colour a terminal or fill a disk if a log contained them unchanged.
HOSTILE = ['\n{"level":"error"}', "\x1b[31mred", "\u2028", '"}', "\\", "a" * 2**20]


@pytest.mark.parametrize("name", KINDS)
def test_a_refusal_costs_no_memory(api: Api, name: str) -> None:
    """Two hundred requests of one kind, after as many others, need less than 2 MiB more."""
    token = api.headers["Authorization"]

    assert grown_mib(api.server, KINDS[name], token, requests=200, warm_up=200) < 2


@pytest.mark.parametrize("text", HOSTILE, ids=["a line", "a colour", "U+2028", "an end", "a backslash", "a MiB"])
def test_a_refused_request_is_one_log_line(api: Api, text: str) -> None:
    """Names, CSV headers, user agents and paths are logged as short JSON lines, one each."""
    before = len(api.server.lines)
    sent = text.encode()
    escaped = "".join(f"%{byte:02X}" for byte in sent[:1000])

    api.post_json(instances(json.dumps([{text: 1}])))
    api.post_csv(table(LINE, header=f'"{text}"'))
    api.server.client.post("/api/v1/token", data={"username": text[:1000], "password": "x"})
    for target in (f"/api/v1/models/{escaped}", f"/api/v1/predict?version={escaped}"):
        exchange(api.server, request("Connection: close", method="GET", target=target))
    for line in ("User-Agent", "X-Request-ID"):
        head = f"GET /health/live HTTP/1.1\r\nHost: a\r\n{line}: ".encode()
        exchange(api.server, head + sent + b"\r\nConnection: close\r\n\r\n")
    api.get("/health/live", params={"n": "last"})

    last = uuid.uuid4().hex
    api.server.client.get("/health/live", headers={"X-Request-ID": last})
    api.server.line(last)
    lines = [line for line in api.server.lines[before:] if line.strip()]
    assert len(lines) >= 9
    assert all(json.loads(line)["event"] == "request" for line in lines)
    assert max(map(len, lines)) < 8192


def test_refused_requests_add_a_bounded_number_of_time_series(api: Api) -> None:
    """Random paths, methods and media types add a bounded number of time series, without unknown paths."""
    for number in range(200):
        api.get(f"/random/{number}")
        api.get(f"/api/v1/models/random{number}")
        exchange(api.server, request("Connection: close", method="PROPFIND", target=f"/{number}"))
        exchange(api.server, request(method=f"FOO{'BAR' * (number % 5)}", target="/"))

    text = api.get("/metrics").text
    assert "random" not in text
    assert "PROPFIND" not in text
    assert text.count("sepal_requests_total{") < 500
