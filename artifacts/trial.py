"""
Load a version in a child process, with limits of time and memory, before any other process loads it.

A signed file may still be broken: its load may never return, need more memory than the machine has, or crash the
interpreter. The child verifies the signature itself, so it never unpickles what no trusted key has signed.
"""

import atexit
import fcntl
import json
import os
import queue
import resource
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from artifacts import bundle
from artifacts.child import WAITING_FACTOR, Child, ChildEnded, ChildLate, Reply, answer_requests
from artifacts.errors import (
    ArtifactDigest,
    ArtifactError,
    ArtifactIncomplete,
    ArtifactMissing,
    ArtifactPath,
    ArtifactRollback,
    ArtifactSignature,
    ArtifactUnloadable,
    ArtifactUnreadable,
    ArtifactUntrusted,
    ArtifactVersion,
)
from artifacts.folders import Folder
from artifacts.processes import command
from artifacts.settings import Engine, Policy
from artifacts.signing import parse_key
from artifacts.text import class_name

TIME_S = 30.0
# What loading a version may add to a process: so much, or this many times the size of its files if that is more.
MEMORY_BYTES = 2**30
_TIMES_ITS_SIZE = 10
# How long a version waits for a child that is busy before another child is started.
WAIT_S = 2.0
_MIB = 2**20
# After these, or without an error, a child is as good as new: no line of the version's own has run.
_NOTHING_LOADED = frozenset(
    {
        None,
        ArtifactDigest.slug,
        ArtifactIncomplete.slug,
        ArtifactMissing.slug,
        ArtifactPath.slug,
        ArtifactRollback.slug,
        ArtifactSignature.slug,
        ArtifactUnreadable.slug,
        ArtifactUntrusted.slug,
        ArtifactVersion.slug,
    }
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """
    The version to try: the folder `root/model/folder`, and what `bundle.read` needs to know of it.

    Attributes:
        trusted: The public keys whose signatures are valid, as text.
        size: Bytes of its files, as its manifest lists them.
    """

    root: str
    model: str
    folder: str
    version: int
    trusted: tuple[str, ...]
    engine: Engine
    versions: Policy
    size: int = 0


@dataclass(frozen=True, slots=True)
class Checked:
    """A version that loads: the id of the key that signed it, and where the installed libraries differ."""

    key: str
    incompatible: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()


class Trials:
    """Tries versions, in one child process after the other or, where one takes long, in several at once."""

    def __init__(
        self,
        *,
        time_s: float = TIME_S,
        memory_bytes: int = MEMORY_BYTES,
        wait_s: float = WAIT_S,
        verdicts: Path | None = None,
    ) -> None:
        """
        Set the limits.

        Args:
            time_s: How long a version may take to load and to predict its own examples, waiting for a processor not
                included.
            memory_bytes: How much memory it may need for that.
            wait_s: How long to wait for a busy child before starting another one.
            verdicts: Folder in which processes that share it keep their results: each version is tried once.
        """
        self._time_s = time_s
        self._memory_bytes = memory_bytes
        self._wait_s = wait_s
        self._verdicts = verdicts
        self._turn = threading.Lock()
        self._idle: queue.LifoQueue[Child] = queue.LifoQueue()
        self._busy: set[Child] = set()

    def start(self) -> None:
        """Start a child ahead of the first version, unless another process that shares the results has done so."""
        with suppress(FileExistsError):
            if self._verdicts:
                (self._verdicts / "started").touch(exist_ok=False)
            self._idle.put(_start_child())

    def check(self, candidate: Candidate, *, digest: str) -> Checked:
        """
        Try a version.

        Args:
            candidate: The version.
            digest: Of its manifest: results are kept under it.

        Raises:
            ArtifactError: It does not load within the limits, see `bundle.read`.
        """
        reply = self._known(candidate, digest) if self._verdicts else self._try(candidate)
        if "slug" in reply:
            raise _error(reply)
        return Checked(reply["key"], tuple(reply["incompatible"]), tuple(reply["differing"]))

    def close(self) -> None:
        """End the children that wait for work."""
        while True:
            try:
                self._idle.get_nowait().end()
            except queue.Empty:
                return

    def _known(self, candidate: Candidate, digest: str) -> Reply:
        assert self._verdicts
        name = f"{digest}-{candidate.engine}-{candidate.versions}"
        # Whoever comes first tries it; the others wait for the lock, which dies with its holder.
        with (self._verdicts / name).open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            written = file.read()
            if written:
                known: Reply = json.loads(written)
                return known
            reply = self._try(candidate)
            # A store that is away for a moment proves nothing.
            if reply.get("slug") not in {ArtifactMissing.slug, ArtifactUnreadable.slug}:
                file.write(json.dumps(reply))
            return reply

    def _try(self, candidate: Candidate) -> Reply:
        request = {**asdict(candidate), "time_s": self._time_s, "memory_bytes": self._memory_bytes}
        while True:
            with self._child() as child:
                reply = self._reply(child, request)
            if reply is not None:
                return reply

    def _reply(self, child: Child, request: Mapping[str, Any]) -> Reply | None:
        try:
            reply = child.ask(request, time_s=self._time_s)
        except ChildLate:
            return _refusal(f"loading it takes longer than {self._time_s:g} s")
        except ChildEnded as end:
            return _refusal(f"loading it ends the process: {end}")
        child.is_usable = reply is not None and reply.get("slug") in _NOTHING_LOADED
        return reply

    @contextmanager
    def _child(self) -> "Iterator[Child]":
        with self._turn:
            try:
                child = self._idle.get(timeout=self._wait_s) if self._busy else self._idle.get_nowait()
            except queue.Empty:
                child = _start_child()
            self._busy.add(child)
        try:
            yield child
        finally:
            self._busy.discard(child)
            if child.is_usable:
                self._idle.put(child)
            else:
                child.end()


_by_process: dict[int, Trials] = {}


def shared() -> Trials:
    """Return the trials of this process, whose child is used again; a forked process gets its own."""
    if os.getpid() not in _by_process:
        _by_process[os.getpid()] = Trials()
    return _by_process[os.getpid()]


@atexit.register
def _close_shared() -> None:
    if os.getpid() in _by_process:
        _by_process[os.getpid()].close()


def _start_child() -> Child:
    # Arrow's own allocator reserves 1 GiB, which would be taken for the version's.
    return Child(lambda end: command("artifacts.trial", end), env={"ARROW_DEFAULT_MEMORY_POOL": "system"})


def _refusal(detail: str) -> Reply:
    return {"slug": ArtifactUnloadable.slug, "detail": detail}


def _error(reply: Reply) -> ArtifactError:
    """The error that the child reported, with its class and its message."""
    kinds = {kind.slug: kind for kind in ArtifactError.__subclasses__()}
    kind = kinds.get(reply["slug"], ArtifactUnloadable)
    error = kind.__new__(kind)
    error.args = (reply["detail"],)
    return error


def main() -> None:
    """Try the versions that the parent asks for."""
    answer_requests(int(sys.argv[1]), _limited)


def _limited(request: dict[str, Any]) -> Reply:
    time_s, memory_bytes = request.pop("time_s"), request.pop("memory_bytes")
    candidate = Candidate(**request)
    memory_bytes = max(memory_bytes, _TIMES_ITS_SIZE * candidate.size)
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    # The parent kills a child that takes too long; a child whose parent has gone ends by this alarm.
    signal.setitimer(signal.ITIMER_REAL, WAITING_FACTOR * time_s + 1)
    _limit_memory(memory_bytes, hard)
    try:
        return _tried(candidate, memory_bytes)
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


def _tried(candidate: Candidate, memory_bytes: int) -> Reply:
    of = bundle.Identity(candidate.model, candidate.version)
    try:
        with (
            Folder.at(Path(candidate.root)) as root,
            root.enter(candidate.model) as home,
            home.enter(candidate.folder) as folder,
        ):
            loaded = bundle.read(
                folder,
                of,
                trusted=[parse_key(text) for text in candidate.trusted],
                engine=candidate.engine,
                versions=candidate.versions,
            )
    except FileNotFoundError:
        missing = ArtifactMissing(candidate.model, candidate.version)
        return {"slug": missing.slug, "detail": str(missing)}
    except BaseException as error:  # noqa: BLE001  # what a version raises is the result, SystemExit too
        return _failure(error, memory_bytes)
    return {"key": loaded.key, "incompatible": loaded.incompatible, "differing": loaded.differing}


def _failure(error: BaseException, memory_bytes: int) -> Reply:
    if _is_memory(error):
        return _refusal(f"loading it needs more than {memory_bytes // _MIB} MiB of memory")
    if isinstance(error, ArtifactError):
        return {"slug": error.slug, "detail": str(error)}
    return _refusal(f"it cannot be loaded: {class_name(error)}")


def _is_memory(error: BaseException | None) -> bool:
    """Whether an error, or one that led to it, says that there is no memory left."""
    while error is not None and not isinstance(error, MemoryError):
        error = error.__cause__ or error.__context__
    return error is not None
