"""
Load a version in a child process, with limits of time and memory, before any other process loads it.

A signed file may still be broken: its load may never return, need more memory than the machine has, or crash the
interpreter. The child, `artifacts.trial_child`, verifies the signature itself, so it never unpickles what no trusted
key has signed.
"""

import atexit
import fcntl
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from artifacts.child import Child, ChildEnded, ChildLate, ChildPool, Reply, module_command
from artifacts.errors import ArtifactError, ArtifactMissing, ArtifactUnloadable, ArtifactUnreadable
from artifacts.settings import Engine, Policy

TIME_S = 30.0
# What loading a version may add to a process; `trial_child` allows more to a large one.
MEMORY_BYTES = 2**30


@dataclass(frozen=True, slots=True)
class TrialRequest:
    """
    The version to load: the folder `root/model/folder`, and the arguments of `bundle.load`.

    Attributes:
        trusted: The public keys whose signatures are valid, as text.
        digest: Of its manifest: results are kept under it.
        size: Bytes of its files, as its manifest lists them.
    """

    root: str
    model: str
    folder: str
    version: int
    trusted: tuple[str, ...]
    engine: Engine
    versions: Policy
    digest: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class TrialResult:
    """A version that loads: the id of the key that signed it, and the libraries whose installed version differs."""

    key: str
    incompatible: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()


class Trials:
    """Loads versions in child processes, and keeps the results for other processes."""

    def __init__(
        self,
        *,
        time_s: float = TIME_S,
        memory_bytes: int = MEMORY_BYTES,
        children: ChildPool | None = None,
        verdicts: Path | None = None,
    ) -> None:
        """
        Set the limits.

        Args:
            time_s: How long a version may take to load and to predict its own examples, waiting for a processor not
                included.
            memory_bytes: How much memory it may need for that.
            children: The child processes; by default a pool of its own.
            verdicts: Folder in which processes that share it keep their results: each version is tried once.
        """
        self._time_s = time_s
        self._memory_bytes = memory_bytes
        self._children = children or ChildPool(start_child)
        self._verdicts = verdicts

    def start(self) -> None:
        """Start a child ahead of the first version, unless another process that shares the results has done so."""
        with suppress(FileExistsError):
            if self._verdicts:
                (self._verdicts / "started").touch(exist_ok=False)
            self._children.start()

    def check(self, request: TrialRequest) -> TrialResult:
        """
        Load a version in a child process.

        Raises:
            ArtifactError: It does not load within the limits, see `bundle.load`.
        """
        reply = self._shared_reply(request, self._verdicts) if self._verdicts else self._reply(request)
        if "slug" in reply:
            raise _error(reply)
        return TrialResult(reply["key"], tuple(reply["incompatible"]), tuple(reply["differing"]))

    def close(self) -> None:
        """End the children that have nothing to do."""
        self._children.close()

    def _shared_reply(self, request: TrialRequest, verdicts: Path) -> Reply:
        # The first process tries the version; the others wait for the lock, which dies with its holder.
        with (verdicts / f"{request.digest}-{request.engine}-{request.versions}").open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            written = file.read()
            reply: Reply = json.loads(written) if written else self._reply(request)
            # An error because the store is unreachable for a moment is not kept.
            if not written and reply.get("slug") not in {ArtifactMissing.slug, ArtifactUnreadable.slug}:
                file.write(json.dumps(reply))
            return reply

    def _reply(self, request: TrialRequest) -> Reply:
        limits = {"time_s": self._time_s, "memory_bytes": self._memory_bytes}
        try:
            return self._children.call({**asdict(request), **limits}, time_s=self._time_s)
        except ChildLate:
            detail = f"loading it takes longer than {self._time_s:g} s"
        except ChildEnded as end:
            detail = f"loading it ends the process: {end}"
        return {"slug": ArtifactUnloadable.slug, "detail": detail}


@cache
def shared() -> Trials:
    """Return the trials of this process, whose child is used again."""
    trials = Trials()
    atexit.register(trials.close)
    return trials


def start_child() -> Child:
    """Start a process that loads versions."""
    # Arrow's own allocator reserves 1 GiB, which would count as the version's memory.
    environment = {"ARROW_DEFAULT_MEMORY_POOL": "system"}
    return Child(lambda end: module_command("artifacts.trial_child", end), env=environment)


def _error(reply: Reply) -> ArtifactError:
    """Return the error that the child reported, with its class and its message."""
    kinds = {kind.slug: kind for kind in ArtifactError.__subclasses__()}
    kind = kinds.get(reply["slug"], ArtifactUnloadable)
    error = kind.__new__(kind)
    error.args = (reply["detail"],)
    return error
