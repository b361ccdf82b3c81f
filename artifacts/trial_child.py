"""The child process of `artifacts.trial`: loads versions within limits of time and memory."""

import resource
import signal
import sys
from pathlib import Path
from typing import Any

from artifacts import bundle
from artifacts.child import WAITING_FACTOR, Reply, answer_requests
from artifacts.errors import ArtifactError, ArtifactMissing, ArtifactUnloadable
from artifacts.folders import Folder
from artifacts.signing import parse_key
from artifacts.text import class_name
from artifacts.trial import TrialRequest
from artifacts.version_folder import Identity

# A version may need so many times the size of its files if that is more than the memory that the parent allows.
_TIMES_ITS_SIZE = 10
_MIB = 2**20


def main() -> None:
    """Load the versions that the parent requests."""
    answer_requests(int(sys.argv[1]), _load_within_limits)


def _load_within_limits(fields: dict[str, Any]) -> Reply:
    time_s, memory_bytes = fields.pop("time_s"), fields.pop("memory_bytes")
    request = TrialRequest(**fields)
    memory_bytes = max(memory_bytes, _TIMES_ITS_SIZE * request.size)
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    # The parent kills a child that takes too long; a child whose parent has gone ends by this alarm.
    signal.setitimer(signal.ITIMER_REAL, WAITING_FACTOR * time_s + 1)
    _limit_memory(memory_bytes, hard)
    try:
        return load_version(request, memory_bytes)
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
        signal.setitimer(signal.ITIMER_REAL, 0)


def _limit_memory(more: int, hard: int) -> None:
    """
    Let this process have so many more bytes of private memory than it has now.

    RLIMIT_DATA is what has been written or may be: threads and BLAS reserve far more addresses than memory, so
    RLIMIT_AS would refuse good models. Only Linux enforces it.
    """
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[5])
    except OSError:
        return
    wanted = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def load_version(request: TrialRequest, memory_bytes: int) -> Reply:
    """Return what a version's load results in: the fields of `TrialResult`, or an error's slug and message."""
    # Until the files are verified nothing of the version runs, so an error before that leaves this process usable.
    verified: list[object] = []
    try:
        with (
            Folder.at(Path(request.root)) as root,
            root.enter(request.model) as home,
            home.enter(request.folder) as folder,
        ):
            loaded = bundle.load(
                folder,
                Identity(request.model, request.version),
                trusted=[parse_key(text) for text in request.trusted],
                engine=request.engine,
                versions=request.versions,
                trial=verified.append,
            )
    except FileNotFoundError:
        return _failure(ArtifactMissing(request.model, request.version), memory_bytes)
    except BaseException as error:  # noqa: BLE001  # what a version raises is the result, SystemExit too
        return {**_failure(error, memory_bytes), "spoiled": bool(verified) or not isinstance(error, ArtifactError)}
    return {"key": loaded.key, "incompatible": loaded.incompatible, "differing": loaded.differing}


def _failure(error: BaseException, memory_bytes: int) -> Reply:
    if _is_memory(error):
        error = ArtifactUnloadable(f"loading it needs more than {memory_bytes // _MIB} MiB of memory")
    elif not isinstance(error, ArtifactError):
        error = ArtifactUnloadable(f"it cannot be loaded: {class_name(error)}")
    return {"slug": error.slug, "detail": str(error)}


def _is_memory(error: BaseException | None) -> bool:
    """Return whether an error, or one that led to it, says that there is no memory left."""
    while error is not None and not isinstance(error, MemoryError):
        error = error.__cause__ or error.__context__
    return error is not None
