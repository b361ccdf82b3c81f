"""A server process: what the system lends it, and uvicorn with our protocol."""

import os
from functools import partial
from typing import Any, cast

from serve.settings import Settings

# How the libraries beneath the models are told how many threads they may have.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "BLIS_NUM_THREADS")


def listen(settings: Settings) -> int:
    """Answer until a signal comes; what the process is to exit with."""
    import uvicorn
    from uvicorn.config import STARTUP_FAILURE
    from uvicorn.supervisors import Multiprocess

    from serve.patience import Patience, Watch
    from serve.protocol import Protocol
    from serve.wire import Bounds

    bounds = Bounds(settings.max_header_bytes, settings.max_headers, settings.max_connections)
    patience = Patience(
        headers_s=settings.headers_s,
        body_bytes_s=settings.body_bytes_s,
        body_grace_s=settings.body_grace_s,
        reader_s=settings.reader_s,
        keep_alive_s=settings.keep_alive_s,
    )
    config = uvicorn.Config(
        "serve.app.root:from_environment",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="uvloop",
        # Workers get a copy of their own, and so a watch of their own.
        http=cast(Any, partial(Protocol, bounds=bounds, watch=Watch(patience))),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=settings.shutdown_s,
    )
    if settings.workers > 1:
        supervisor = Multiprocess(config, [config.bind_socket()])
        supervisor.run()
        return STARTUP_FAILURE if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes) else 0
    server = uvicorn.Server(config)
    try:
        server.run()
    except SystemExit as end:
        return 0 if server.started else int(end.code or 0)
    return 0 if server.started else STARTUP_FAILURE


def limit_threads(wanted: int, *, workers: int) -> None:
    """
    Let a call of a model have so many threads, but all workers together no more than there are cores.

    Threads that wait for each other's core take many times as long. What the environment says already, wins.
    """
    from threadpoolctl import threadpool_limits

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = max(1, min(wanted, cores // workers))
    if "OPENBLAS_NUM_THREADS" not in os.environ:
        # Numpy's own is loaded by now, and reads the environment no more.
        threadpool_limits(threads, user_api="blas")
    # Workers, and libraries that come with a model, do.
    for name in _THREADS:
        os.environ.setdefault(name, str(threads))


def allow_files(connections: int) -> None:
    """Let so many connections have a socket and an upload on the disk each, as far as the system permits."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * connections + 256
    if soft not in (resource.RLIM_INFINITY, hard) and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
