"""What the system lends to the server's processes: threads and open files."""

import os

# How the libraries beneath the models are told how many threads they may have.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "BLIS_NUM_THREADS")


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
