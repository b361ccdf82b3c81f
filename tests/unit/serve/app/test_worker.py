"""A worker is configured by the settings, and reports to the supervisor."""

import asyncio
import json
import socket
from typing import Any

import pytest
import uvicorn

from serve.app.worker import Server, _exit, configure
from serve.inference.registry import Failure, Registry, ServedModel
from serve.settings import Settings


@pytest.fixture
def registry() -> Registry:
    """A registry with one model that could not be loaded, and an unknown default model."""
    registry = Registry(default="irsi")
    registry.replace([ServedModel("iris", {}, {}, reason=Failure("artifact-digest", "the digest differs"))])
    return registry


def test_the_configuration_follows_the_settings(settings: Settings) -> None:
    """Limits of connections, proxies and shutdown are those of the settings; other limits are constants."""
    update = {"max_connections": 7, "keep_alive_s": 3.0, "shutdown_s": 9, "trusted_proxies": ("10.0.0.0/8",)}

    config = configure(settings.model_copy(update=update), lambda: None)  # type: ignore[arg-type,return-value]  # never called

    options: Any = config.http
    assert options.keywords["bounds"].connections == 7
    assert options.keywords["reaper"]._timeouts.keep_alive_s == 3
    assert options.keywords["reaper"]._timeouts.headers_s == 10
    assert (config.timeout_graceful_shutdown, config.forwarded_allow_ips) == (9, ["10.0.0.0/8"])


def test_a_worker_reports_to_the_supervisor(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reports that it serves, its problems, a heartbeat and its end; a supervisor that has ended is no error."""

    async def nothing(*_: object, **__: object) -> bool:
        return False

    for name in ("startup", "on_tick", "shutdown"):
        monkeypatch.setattr(uvicorn.Server, name, nothing)
    ours, theirs = socket.socketpair()

    async def serve() -> None:
        server = Server(uvicorn.Config(nothing), registry, ours)
        await server.startup()
        await server.on_tick(10)
        await server.on_tick(11)
        await server.shutdown()
        received = theirs.recv(4096).split(b"\n")
        theirs.close()
        await server.on_tick(20)
        assert json.loads(received[0])["serving"]["models"] == []
        assert len(json.loads(received[0])["serving"]["problems"]) == 2
        assert received[1:] == [b"", b'{"ending": true}', b""]

    with ours:
        asyncio.run(serve())


def test_a_worker_ends_when_the_supervisor_does(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of the socket closes with the supervisor: requests in flight get five seconds, then the process ends."""
    slept: list[float] = []
    codes: list[int] = []
    monkeypatch.setattr("serve.app.worker.time.sleep", slept.append)
    monkeypatch.setattr("serve.app.worker.os._exit", codes.append)
    ours, theirs = socket.socketpair()
    server = Server(uvicorn.Config(lambda: None, timeout_graceful_shutdown=30), registry, ours)  # never called

    theirs.close()
    with ours:
        server.follow(ours)

    assert server.should_exit
    assert server.config.timeout_graceful_shutdown == 5
    assert (slept, codes) == ([7], [1])


def test_a_signal_during_the_start_ends_the_process() -> None:
    """Before uvicorn handles signals, SIGTERM and Ctrl-C end the process with exit code 0."""
    with pytest.raises(SystemExit) as ended:
        _exit(15, None)

    assert ended.value.code == 0
