"""A real Redis for tests, on a free port and without files."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from tests.support.server import free_port

_START_S = 10.0


@dataclass
class Redis:
    """A redis-server that can be suspended, killed and restarted on the same port."""

    binary: str
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        """The URL for clients."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen([self.binary, *options], stdout=subprocess.DEVNULL, cwd="/")
        deadline = time.monotonic() + _START_S
        while not self._answers():
            assert time.monotonic() < deadline, "redis-server does not answer"
            time.sleep(0.02)

    def stop(self) -> None:
        """End it, suspended or not."""
        self.process.kill()
        self.process.wait()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Run a block while it is suspended: it accepts connections and never answers."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16) == b"+PONG\r\n"
        except OSError:
            return False


@contextmanager
def running() -> Iterator[Redis]:
    """Start Redis; without redis-server the test is skipped, unless everything must be tested."""
    binary = shutil.which("redis-server")
    if binary is None:
        assert "SEPAL_TEST_EVERYTHING" not in os.environ, "Redis is not installed"
        pytest.skip("Redis is not installed")
    redis = Redis(binary)
    redis.start()
    try:
        yield redis
    finally:
        redis.stop()
