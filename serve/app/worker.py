"""A worker process: uvicorn with our protocol, on the sockets of the supervisor; it ends when the supervisor does."""

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, cast

import uvicorn

from artifacts.trial import Trials
from serve.inference.registry import Registry
from serve.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from serve.http.timeouts import Timeouts

# How long requests in flight may go on after the supervisor was killed; the process ends two seconds later.
_ORPHAN_S = 5


class Server(uvicorn.Server):
    """uvicorn's server, which reports to the supervisor: that it serves, that its event loop turns, that it ends."""

    def __init__(self, config: uvicorn.Config, registry: Registry, channel: socket.socket) -> None:
        super().__init__(config)
        self._registry = registry
        self._channel = channel

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._report({"serving": _summary(self._registry)})

    async def on_tick(self, counter: int) -> bool:
        if counter % 10 == 0:
            self._report(None)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._report({"ending": True})
        await super().shutdown(sockets)

    def follow(self, channel: socket.socket) -> None:
        """Drain and end once the supervisor has ended: it never writes, and its end of the socket closes with it."""
        with suppress(OSError):
            channel.recv(1)
        self.should_exit = True
        self.config.timeout_graceful_shutdown = min(self.config.timeout_graceful_shutdown or _ORPHAN_S, _ORPHAN_S)
        time.sleep(_ORPHAN_S + 2)
        os._exit(1)

    def _report(self, report: object) -> None:
        line = b"\n" if report is None else json.dumps(report).encode() + b"\n"
        # A supervisor that was stopped or has ended reads nothing.
        with suppress(OSError):
            self._channel.send(line, socket.MSG_DONTWAIT)


def _summary(registry: Registry) -> dict[str, list[str]]:
    """Return what the supervisor prints for a developer: the models that can be called, and each problem in a line."""
    served = registry.all()
    problems = [problem for model in served for problem in model.problems]
    return {
        "models": [model.name for model in served if model.champion],
        "problems": [*problems, *filter(None, [registry.notice])],
    }


def main() -> None:
    """Serve until a signal comes, or the supervisor ends."""
    signal.signal(signal.SIGTERM, _exit)
    signal.signal(signal.SIGINT, _exit)
    folder, reports, *descriptors = sys.argv[1:]
    trials = Trials(verdicts=Path(folder))
    # The child process starts while this one imports the app.
    trials.start()
    from serve.app.root import in_worker

    settings = Settings()
    registry = Registry(default=settings.default_model)
    channel = socket.socket(fileno=int(reports))
    server = Server(configure(settings, partial(in_worker, settings, registry, trials)), registry, channel)
    threading.Thread(target=server.follow, args=[channel], daemon=True).start()
    code = 0
    try:
        server.run([socket.socket(fileno=int(descriptor)) for descriptor in descriptors])
    except SystemExit as end:
        code = int(end.code or 0)
    sys.stdout.flush()
    # Do not wait for threads: a trial may take 30 s, and a call of a model may never return.
    os._exit(code)


def configure(
    settings: Settings, create: "Callable[[], ASGIApp]", timeouts: "Timeouts | None" = None
) -> uvicorn.Config:
    """
    Return uvicorn's configuration, with our protocol.

    Args:
        settings: The settings of the process.
        create: Returns the app; called when the server starts.
        timeouts: How long clients are waited for; by default as the settings say.
    """
    from serve.http.protocol import Protocol
    from serve.http.timeouts import ConnectionReaper, Timeouts
    from serve.http.wire import Bounds

    reaper = ConnectionReaper(timeouts or Timeouts(keep_alive_s=settings.keep_alive_s))
    return uvicorn.Config(
        create,
        factory=True,
        loop="uvloop",
        http=cast(Any, partial(Protocol, bounds=Bounds(connections=settings.max_connections), reaper=reaper)),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=settings.shutdown_s,
    )


def _exit(_signal: int, _frame: FrameType | None) -> NoReturn:
    # uvicorn raises the signal again when it has drained.
    sys.exit(0)
