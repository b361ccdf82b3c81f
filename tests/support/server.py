"""A server in a separate process, on a free port, and a client for it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import coverage
import httpx2

ROOT = Path(__file__).parents[2]
START_S = 60.0
STOP_S = 20.0
LOG_S = 10.0


def free_port() -> int:
    """Return a port that is free now, and that no other worker of pytest-xdist gets meanwhile."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    # Halved, since Linux prefers odd ports for listening.
    return next(port for port in iter(_any_port, None) if port // 2 % workers == worker % workers)


def _any_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def unmeasured() -> Iterator[None]:
    """Start processes without coverage, which doubles their time: they run no code that only they test."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("COVERAGE_PROCESS")}
    try:
        yield
    finally:
        os.environ.update(kept)


@contextmanager
def untraced() -> Iterator[None]:
    """Turn off coverage for preparations, whose code is measured in its own tests."""
    measuring = coverage.Coverage.current()
    if measuring:
        measuring.stop()
    try:
        with unmeasured():
            yield
    finally:
        if measuring:
            measuring.start()


def environment(**settings: object) -> dict[str, str]:
    """
    Return the environment with these SEPAL_ variables only, and without those of the make that runs the tests.

    The cache is off and the rates are high by default, since tests send the same rows many times and log in from one
    address. The signing key of this run is trusted, in production too.
    """
    settings = {
        "cache_rows": 0,
        **{name: os.environ.get(f"SEPAL_{name.upper()}", "") for name in ("signing_key", "trusted_keys")},
        **settings,
    }
    rates: Any = settings.pop("rates", {})
    settings["rates"] = {"login": "100000/minute", "change": "100000/minute", "read": "1000000/minute", **rates}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SEPAL_", "MAKE", "MFLAGS"))}
    return {**kept, **{f"SEPAL_{name.upper()}": _text(value) for name, value in settings.items()}}


def _text(value: object) -> str:
    """Return the text of a setting, as one writes it."""
    return ",".join(f"{name}={text}" for name, text in value.items()) if isinstance(value, dict) else str(value)


def run(*arguments: str, env: Mapping[str, str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command of the project."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        check=False,
        cwd=ROOT,
        env=env,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=100,
    )


@dataclass
class Server:
    """One process of `python -m serve run`."""

    env: Mapping[str, str]
    arguments: Sequence[str] = ()
    port: int = field(default_factory=free_port)
    command: Sequence[str] = (sys.executable, "-m", "serve")
    folder: Path = ROOT
    is_awaited: bool = True

    def __enter__(self) -> Self:
        log = Path(self.env["SEPAL_STATE"])
        log.mkdir(parents=True, exist_ok=True)
        self.log = log / f"server-{self.port}.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [*self.command, "run", "--port", str(self.port), *self.arguments],
                cwd=self.folder,
                env=self.env,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.client = httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)
        if self.is_awaited:
            self.await_answer()
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.stop()

    def stop(self) -> int:
        """Send SIGTERM, and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_S)

    @property
    def workers(self) -> list[int]:
        """The worker processes, the oldest first."""
        supervisor = self.process.pid
        children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
        return [int(pid) for pid in children if b"serve.app.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    @property
    def worker(self) -> int:
        """The only worker process."""
        [pid] = self.workers
        return pid

    def memory_mib(self, *, peak: bool = False) -> float:
        """Return the resident memory of the worker; with `peak`, the maximum since the last call without `peak`."""
        folder = Path(f"/proc/{self.worker}")
        if not peak:
            (folder / "clear_refs").write_text("5")
        lines = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        return int(lines["VmHWM" if peak else "VmRSS"].split()[0]) / 1024

    @property
    def cpu_s(self) -> float:
        """The CPU time of the worker in seconds, which does not depend on other processes of the machine."""
        fields = Path(f"/proc/{self.worker}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def lines(self) -> list[str]:
        """The complete lines of the log."""
        whole, _, _ = self.log.read_text().rpartition("\n")
        return whole.splitlines()

    def line(self, *parts: str) -> dict[str, Any]:
        """Wait for the only line of the log that contains all these texts, and return its JSON."""
        deadline = time.monotonic() + LOG_S
        while not (found := [line for line in self.lines if all(part in line for part in parts)]):
            assert time.monotonic() < deadline, f"no line with {parts}"
            time.sleep(0.02)
        [line] = found
        content: dict[str, Any] = json.loads(line)
        return content

    def token(self, *scopes: str, user: str = "developer", password: str | None = None) -> str:
        """Log in, and return the token."""
        form = {"username": user, "password": password or self.password, "scope": " ".join(scopes)}
        answer = self.client.post("/api/v1/token", data=form)
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token

    @property
    def password(self) -> str:
        """The password of the development user."""
        lines = (Path(self.env["SEPAL_STATE"]) / "development.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)["PASSWORD"]

    def bearer(self, *scopes: str) -> dict[str, str]:
        """Return the Authorization header of a new token."""
        return {"Authorization": f"Bearer {self.token(*scopes)}"}

    def await_answer(self) -> None:
        """Wait until the server responds and all models are loaded."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            try:
                if "being loaded" not in self.client.get("/health/ready").text:
                    return
            except httpx2.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"no response within {START_S} s:\n{self.log.read_text()}")


@dataclass(frozen=True)
class Api:
    """A client of a server, with a token."""

    server: Server
    headers: dict[str, str]

    def get(self, path: str, **more: Any) -> httpx2.Response:
        """Send a GET request."""
        return self.server.client.get(path, headers=self.headers, **more)

    def predict(self, instances: object, path: str = "/api/v1/predict", **params: str) -> httpx2.Response:
        """Request predictions."""
        return self.server.client.post(path, json={"instances": instances}, params=params, headers=self.headers)

    def post_json(self, body: bytes, content_type: str | None = "application/json") -> httpx2.Response:
        """Send a body to /predict."""
        kind = {} if content_type is None else {"Content-Type": content_type}
        return self.server.client.post("/api/v1/predict", content=body, headers={**self.headers, **kind})

    def post_csv(self, body: bytes, path: str = "/api/v1/predict/csv") -> httpx2.Response:
        """Send a body as text/csv."""
        return self.server.client.post(path, content=body, headers={**self.headers, "Content-Type": "text/csv"})


def slug(answer: httpx2.Response) -> str:
    """Return the last part of the type of a problem, and check its media type."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    kind: str = answer.json()["type"]
    return kind.rsplit("/", 1)[-1]
