"""The access log: the form of its lines, when they are written, and that none is lost."""

import io
import json
import signal
from pathlib import Path
from select import PIPE_BUF
from typing import Any

import anyio
import pytest

from serve.telemetry.access_log import AccessLog
from tests.support.server import Api, Server, environment

LINE: dict[str, Any] = {
    "method": "POST",
    "path": "/api/v1/predict",
    "route": "/api/v1/predict",
    "status": 200,
    "duration_ms": 1.23456,
    "caller": "ada",
    "client": "127.0.0.1",
    "request_id": "order-66",
}


class Stream(io.StringIO):
    """A stream that remembers each write."""

    is_written: anyio.Event | None = None

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    def write(self, text: str) -> int:
        self.written.append(text)
        if self.is_written:
            self.is_written.set()
        return super().write(text)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The written lines, parsed."""
        return [json.loads(line) for line in self.getvalue().splitlines()]


def written(log: AccessLog, *lines: dict[str, Any]) -> None:
    """Write lines inside of a loop, then close."""

    async def write() -> None:
        for line in lines:
            log.write(**line)
        log.close()

    anyio.run(write)


def test_a_line_has_the_form_of_all_others() -> None:
    """A line has all values, rounded, and the time in UTC."""
    stream = Stream()

    written(AccessLog(stream, clock=lambda: 1_800_000_000.25), LINE)

    assert stream.lines == [
        {
            **LINE,
            "duration_ms": 1.235,
            "event": "request",
            "logger": "serve.access",
            "level": "info",
            "timestamp": "2027-01-15T08:00:00.250000Z",
        }
    ]


@pytest.mark.parametrize(
    ("sent", "logged"),
    [
        ('/"\\\n\u2028', '/"\\\n\u2028'),
        ("/\ud800", "/\ud800"),
        ("/" + "a" * 600, "/" + "a" * 511 + "…"),
        (None, None),
    ],
)
def test_values_from_outside_stay_on_one_line(sent: str | None, logged: str | None) -> None:
    """Quotes, line breaks and lone surrogates are escaped, long values are cut, and missing ones are null."""
    stream = Stream()

    written(AccessLog(stream), {**LINE, "caller": sent})

    assert stream.getvalue().isascii()
    assert [line["caller"] for line in stream.lines] == [logged]


def test_a_write_is_atomic_for_a_pipe() -> None:
    """Many lines are few writes of whole lines, none longer than a pipe takes atomically."""
    stream = Stream()

    written(AccessLog(stream), *({**LINE, "request_id": str(number)} for number in range(100)))

    assert [line["request_id"] for line in stream.lines] == [str(number) for number in range(100)]
    assert len(stream.written) < 20
    assert all(text.endswith("\n") and len(text) <= PIPE_BUF for text in stream.written)


def test_a_line_waits_for_a_bounded_time() -> None:
    """A line without successors is written after the wait."""
    stream = Stream()

    async def write_and_wait() -> None:
        stream.is_written = anyio.Event()
        AccessLog(stream, wait_s=0.01).write(**LINE)
        assert not stream.written
        with anyio.fail_after(5):
            await stream.is_written.wait()

    anyio.run(write_and_wait)

    assert len(stream.lines) == 1


def test_after_the_end_lines_are_written_at_once() -> None:
    """Lines at the end of the event loop do not wait for a timer."""
    stream = Stream()
    log = AccessLog(stream)
    log.close()

    written(log, LINE)

    assert len(stream.lines) == 1


def test_a_closed_log_fails_no_request(caplog: pytest.LogCaptureFixture) -> None:
    """If the reader of the log is gone, lines are lost and the loss is logged."""

    class Gone(Stream):
        def flush(self) -> None:
            raise BrokenPipeError

    written(AccessLog(Gone()), LINE)

    assert "lost" in caplog.text


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_loses_no_line(store: Path, tmp_path: Path, workers: int) -> None:
    """Every answered request has a whole line after the server has ended."""
    with Server(environment(artifacts=store, state=tmp_path, log_format="json", workers=workers)) as server:
        api = Api(server, server.bearer())
        for number in range(50):
            server.client.get("/health/live", headers={"X-Request-ID": f"request-{number}"})
        api.server.process.send_signal(signal.SIGTERM)
        api.server.process.wait(20)

    lines = [json.loads(line) for line in server.lines if line.startswith("{")]
    ids = [line["request_id"] for line in lines if line["event"] == "request"]
    assert all(ids.count(f"request-{number}") == 1 for number in range(50))
