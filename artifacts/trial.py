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
import select
import signal
import socket
import subprocess  # nosec B404  # runs this very Python on this very module
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any, TypeAlias

from artifacts import bundle
from artifacts.errors import ArtifactError, ArtifactMissing, ArtifactUnloadable, ArtifactUnreadable, kind_of
from artifacts.files import Folder
from artifacts.processes import command
from artifacts.settings import Engine, Policy
from artifacts.signing import parse_key

TIME_S = 30.0
# What loading a version may add to a process: so much, or this many times the size of its files if that is more.
MEMORY_BYTES = 2**30
_TIMES_ITS_SIZE = 10
# How long a version waits for a child that is busy before another child is started.
WAIT_S = 2.0
_START_S = 60.0
# A child that has nothing to do for this long ends.
_IDLE_S = 60.0
# A version's time leaves out what it waits for a processor on a busy machine; it takes at most this many times as long.
_WAITING_FACTOR = 4
_BEGAN = b"began\n"
_MIB = 2**20

Reply: TypeAlias = dict[str, Any]


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
    grave: tuple[str, ...] = ()
    slight: tuple[str, ...] = ()


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
        self._idle: queue.LifoQueue[_Child] = queue.LifoQueue()
        self._busy: set[_Child] = set()

    def start(self) -> None:
        """Start a child ahead of the first version, unless another process that shares the results has done so."""
        with suppress(FileExistsError):
            if self._verdicts:
                (self._verdicts / "started").touch(exist_ok=False)
            self._idle.put(_Child())

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
        return Checked(reply["key"], tuple(reply["grave"]), tuple(reply["slight"]))

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
                reply = child.ask(request, time_s=self._time_s)
            if reply is not None:
                return reply

    @contextmanager
    def _child(self) -> "Iterator[_Child]":
        with self._turn:
            try:
                child = self._idle.get(timeout=self._wait_s) if self._busy else self._idle.get_nowait()
            except queue.Empty:
                child = _Child()
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


class _Child:
    """One child process. It is used again as long as every version that it tried could be loaded."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # nosec B603  # no shell, and nothing in the command is a caller's
                command("artifacts.trial", theirs.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                # Arrow's own allocator reserves 1 GiB, which would be taken for the version's.
                env={**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system"},
            )
        # Without a buffer nothing that has arrived is hidden from `_is_due`.
        self._replies = self._socket.makefile("rb", buffering=0)
        self._is_new = True
        self.is_usable = True

    def ask(self, request: Mapping[str, Any], *, time_s: float) -> Reply | None:
        """Try one version; None if the child had ended before, so that another one must be asked."""
        was_new, self._is_new, self.is_usable = self._is_new, False, False
        if not self._begins(request):
            return _refusal("the process that should load it first does not start") if was_new else None
        if not self._replies_within(time_s):
            self._kill()
            return _refusal(f"loading it takes longer than {time_s:g} s")
        try:
            line = self._replies.readline()
        except ConnectionResetError:
            line = b""
        if not line:
            return _refusal(f"loading it ends the process: {self._end()}")
        reply: Reply = json.loads(line)
        self.is_usable = "slug" not in reply
        return reply

    def _begins(self, request: Mapping[str, Any]) -> bool:
        self._socket.settimeout(_START_S)
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
            return self._replies.readline() == _BEGAN
        except (TimeoutError, BrokenPipeError, ConnectionResetError):
            return False

    def _replies_within(self, time_s: float) -> bool:
        """Wait for the reply, or the end of the process."""
        began, before_s = monotonic(), self._waited_s()
        replies = select.poll()
        replies.register(self._socket, select.POLLIN)
        while True:
            waited_s = min(self._waited_s() - before_s, (_WAITING_FACTOR - 1) * time_s)
            left_s = began + time_s + waited_s - monotonic()
            if left_s <= 0:
                return False
            if replies.poll(1000 * left_s):
                return True

    def _waited_s(self) -> float:
        """How long the process has waited for a processor so far; 0 where the system does not count it."""
        try:
            return int(Path(f"/proc/{self._process.pid}/schedstat").read_text().split()[1]) / 1e9
        except OSError:
            return 0.0

    def _end(self) -> str:
        code = self._process.wait()
        return _signal(-code) if code < 0 else f"exit code {code}"

    def _kill(self) -> None:
        # The version may have started processes of its own, which are in this group.
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def end(self) -> None:
        """Close the socket, at which the child ends."""
        self._replies.close()
        self._socket.close()
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            self._kill()


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


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
    """Try the versions that the parent asks for, until it closes the socket or asks for nothing any more."""
    # Ctrl-C in a terminal is the parent's to handle.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        channel.settimeout(_IDLE_S)
        requests = channel.makefile("rb")
        try:
            for line in requests:
                channel.sendall(_BEGAN)
                channel.sendall(json.dumps(_limited(json.loads(line))).encode() + b"\n")
        except (TimeoutError, BrokenPipeError, ConnectionResetError):
            pass
    # Threads that a version has started do not keep this process alive.
    os._exit(0)


def _limited(request: dict[str, Any]) -> Reply:
    time_s, memory_bytes = request.pop("time_s"), request.pop("memory_bytes")
    candidate = Candidate(**request)
    memory_bytes = max(memory_bytes, _TIMES_ITS_SIZE * candidate.size)
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    # The parent kills a child that takes too long; a child whose parent has gone ends by this alarm.
    signal.setitimer(signal.ITIMER_REAL, _WAITING_FACTOR * time_s + 1)
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
    return {"key": loaded.key, "grave": loaded.grave, "slight": loaded.slight}


def _failure(error: BaseException, memory_bytes: int) -> Reply:
    if _is_memory(error):
        return _refusal(f"loading it needs more than {memory_bytes // _MIB} MiB of memory")
    if isinstance(error, ArtifactError):
        return {"slug": error.slug, "detail": str(error)}
    return _refusal(f"it cannot be loaded: {kind_of(error)}")


def _is_memory(error: BaseException | None) -> bool:
    """Whether an error, or one that led to it, says that there is no memory left."""
    while error is not None and not isinstance(error, MemoryError):
        error = error.__cause__ or error.__context__
    return error is not None
