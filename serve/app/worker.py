"""A worker process: uvicorn with our protocol, on the sockets of the supervisor, which it does not outlive."""

import json
import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, cast

import uvicorn

from artifacts.trial import Trials
from serve.inference.registry import Registry
from serve.settings import Settings

# How long requests in flight have when the supervisor was killed; two seconds later the process ends.
_ORPHAN_S = 5


class Server(uvicorn.Server):
    """uvicorn's, which reports to the supervisor: that it serves, that its event loop turns, that it is ending."""

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
        """Drain and end once the supervisor has gone: it never writes, and its end of the socket dies with it."""
        with suppress(OSError):
            channel.recv(1)
        self.should_exit = True
        self.config.timeout_graceful_shutdown = min(self.config.timeout_graceful_shutdown or _ORPHAN_S, _ORPHAN_S)
        time.sleep(_ORPHAN_S + 2)
        os._exit(1)

    def _report(self, what: object) -> None:
        line = b"\n" if what is None else json.dumps(what).encode() + b"\n"
        try:
            self._channel.send(line, socket.MSG_DONTWAIT)
        except OSError:
            # A supervisor that was stopped or has gone reads nothing.
            return


def _summary(registry: Registry) -> dict[str, list[str]]:
    """What the supervisor tells a developer: the models that can be asked, and in a line each what is wrong."""
    served = registry.all()
    problems = [problem for model in served for problem in model.problems]
    return {
        "models": [model.name for model in served if model.champion],
        "problems": problems + ([registry.notice] if registry.notice else []),
    }


def main() -> None:
    """Serve until a signal comes, or the supervisor ends."""
    signal.signal(signal.SIGTERM, _exit)
    signal.signal(signal.SIGINT, _exit)
    folder, reports, *descriptors = sys.argv[1:]
    trials = Trials(verdicts=Path(folder))
    # It starts while this process imports the app.
    trials.start()
    settings = Settings()
    channel = socket.socket(fileno=int(reports))
    registry = Registry(default=settings.default_model)
    server = Server(_config(settings, registry, trials), registry, channel)
    threading.Thread(target=server.follow, args=[channel], daemon=True).start()
    code = 0
    try:
        server.run([socket.socket(fileno=int(descriptor)) for descriptor in descriptors])
    except SystemExit as end:
        code = int(end.code or 0)
    sys.stdout.flush()
    # Without a wait for threads: a trial may take 30 s, and a call of a model need not return at all.
    os._exit(code)


def _config(settings: Settings, registry: Registry, trials: Trials) -> uvicorn.Config:
    from serve.app.root import in_worker
    from serve.http.protocol import Protocol
    from serve.http.timeouts import ConnectionReaper, Timeouts
    from serve.http.wire import Bounds

    bounds = Bounds(settings.max_header_bytes, settings.max_headers, settings.max_connections)
    timeouts = Timeouts(
        headers_s=settings.headers_s,
        body_bytes_s=settings.body_bytes_s,
        body_grace_s=settings.body_grace_s,
        reader_s=settings.reader_s,
        keep_alive_s=settings.keep_alive_s,
    )
    return uvicorn.Config(
        partial(in_worker, settings, registry, trials),
        factory=True,
        loop="uvloop",
        http=cast(Any, partial(Protocol, bounds=bounds, reaper=ConnectionReaper(timeouts))),
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
