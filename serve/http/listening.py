"""System limits of the server's processes: threads and open files."""

import os

# The variables that limit the threads of numerical libraries.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "BLIS_NUM_THREADS")


def limit_threads(wanted: int, *, workers: int) -> None:
    """
    Limit the threads of a model call, so that all workers together have no more threads than there are cores.

    With more threads than cores, calls take many times as long. Variables that are already set stay.
    """
    from threadpoolctl import threadpool_limits

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = max(1, min(wanted, cores // workers))
    if "OPENBLAS_NUM_THREADS" not in os.environ:
        # Numpy's library is loaded already and reads the environment no more.
        threadpool_limits(threads, user_api="blas")
    # Workers read it, and libraries that are loaded with a model.
    for name in _THREADS:
        os.environ.setdefault(name, str(threads))


def allow_files(connections: int) -> None:
    """Raise the limit of open files to a socket and an upload on disk per connection, as far as the system permits."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * connections + 256
    if soft not in (resource.RLIM_INFINITY, hard) and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
