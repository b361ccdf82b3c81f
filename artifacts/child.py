"""
Child processes that work on one request after another, with a limit of time for each.

Parent and child talk over a socket pair, in lines of JSON. A child is used again as long as its requests succeed; it
ends when it has had no request for a while, or its parent has closed the socket.
"""

import json
import os
import queue
import select
import shutil
import signal
import socket
import subprocess  # nosec B404  # runs this very Python on one of our modules
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any, TypeAlias

_START_S = 60.0
# A child that gets no request for this long ends.
_IDLE_S = 60.0
# How long a request waits for a busy child before another child is started.
_WAIT_S = 2.0
# A request's time leaves out what the child waits for a processor on a busy machine, up to this many times that time.
WAITING_FACTOR = 4
_BEGAN = b"began\n"
_CODE = "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); from {module} import main; sys.exit(main())"

Reply: TypeAlias = dict[str, Any]
"""What a child replied. With `"spoiled": True` the child is not used again."""


def module_command(module: str, *arguments: object) -> list[str]:
    """Return the command that calls `main` of a module; the child imports what this process would import."""
    return [sys.executable, "-c", _CODE.format(module=module), json.dumps(sys.path), *map(str, arguments)]


class ChildEnded(Exception):
    """The child ended while it worked on a request; the message says how: a signal or an exit code."""


class ChildLate(Exception):
    """The child took longer than the request may take, and was killed."""


class Child:
    """One child process."""

    def __init__(
        self,
        command: Callable[[int], Sequence[str]],
        *,
        env: Mapping[str, str] | None = None,
        in_empty_folder: bool = False,
    ) -> None:
        """
        Start the process.

        Args:
            command: Returns the command, given the descriptor of the child's end of the socket, for `answer_requests`.
            env: Variables of its environment besides those of this process.
            in_empty_folder: Whether it runs in a new folder, which is removed when it ends; by default it runs in the
                working directory of this process.
        """
        self._folder = tempfile.mkdtemp() if in_empty_folder else None
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # nosec B603  # no shell; the command is our own
                command(theirs.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                cwd=self._folder,
                env={**os.environ, **(env or {})},
            )
        # Without a buffer nothing that has arrived is hidden from `poll`.
        self._replies = self._socket.makefile("rb", buffering=0)
        self._is_new = True
        self.is_usable = True

    def call(self, request: Mapping[str, Any], *, time_s: float) -> Reply | None:
        """
        Send a request and return the reply; None if the child had ended before, so that another must be started.

        Raises:
            ChildLate: It took longer than `time_s`.
            ChildEnded: It ended before it replied, or does not start.
        """
        was_new, self._is_new, self.is_usable = self._is_new, False, False
        if not self._begins(request):
            if was_new:
                raise ChildEnded("it ended before it read the request")
            return None
        if not self._replies_within(time_s):
            self._kill()
            raise ChildLate
        try:
            line = self._replies.readline()
        except ConnectionResetError:
            line = b""
        if not line:
            raise ChildEnded(self._end())
        reply: Reply = json.loads(line)
        self.is_usable = not reply.pop("spoiled", False)
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
            waited_s = min(self._waited_s() - before_s, (WAITING_FACTOR - 1) * time_s)
            left_s = began + time_s + waited_s - monotonic()
            if left_s <= 0:
                return False
            if replies.poll(1000 * left_s):
                return True

    def _waited_s(self) -> float:
        """How long the process has waited for a processor so far; 0 where the system does not report it."""
        try:
            return int(Path(f"/proc/{self._process.pid}/schedstat").read_text().split()[1]) / 1e9
        except OSError:
            return 0.0

    def _end(self) -> str:
        code = self._process.wait()
        return _signal(-code) if code < 0 else f"exit code {code}"

    def _kill(self) -> None:
        # It may have started processes of its own, which are in this group.
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
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class ChildPool:
    """
    Children that are used again; a request that finds all of them busy waits, and then gets a new one.

    The children of a process are not used by its forks: there the pool is empty.
    """

    def __init__(self, start: Callable[[], Child], *, wait_s: float = _WAIT_S) -> None:
        """
        Make an empty pool.

        Args:
            start: Starts a child.
            wait_s: How long a request waits for a busy child before another child is started.
        """
        self._start = start
        self._wait_s = wait_s
        self._own()

    def start(self) -> None:
        """Start a child ahead of the first request."""
        self._idle.put(self._start())

    def call(self, request: Mapping[str, Any], *, time_s: float) -> Reply:
        """
        Return a child's reply to a request.

        Raises:
            ChildLate: It took longer than `time_s`.
            ChildEnded: It ended before it replied, or does not start.
        """
        reply = None
        while reply is None:
            with self._child() as child:
                reply = child.call(request, time_s=time_s)
        return reply

    def close(self) -> None:
        """End the children that have nothing to do."""
        while self._owner == os.getpid():
            try:
                self._idle.get_nowait().end()
            except queue.Empty:
                return

    def _own(self) -> None:
        self._owner = os.getpid()
        self._turn = threading.Lock()
        self._idle: queue.LifoQueue[Child] = queue.LifoQueue()
        self._busy: set[Child] = set()

    @contextmanager
    def _child(self) -> Iterator[Child]:
        if self._owner != os.getpid():
            self._own()
        with self._turn:
            try:
                child = self._idle.get(timeout=self._wait_s) if self._busy else self._idle.get_nowait()
            except queue.Empty:
                child = self._start()
            self._busy.add(child)
        try:
            yield child
        finally:
            self._busy.discard(child)
            if child.is_usable:
                self._idle.put(child)
            else:
                child.end()


def answer_requests(descriptor: int, answer: Callable[[Any], Reply]) -> None:
    """Answer the parent's requests until it closes the socket or sends none for a while, then end this process."""
    # The parent handles Ctrl-C in a terminal.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=descriptor) as channel:
        channel.settimeout(_IDLE_S)
        requests = channel.makefile("rb")
        try:
            for line in requests:
                channel.sendall(_BEGAN)
                channel.sendall(json.dumps(answer(json.loads(line))).encode() + b"\n")
        except (TimeoutError, BrokenPipeError, ConnectionResetError):
            pass
    # This ends the process although threads that a request has started are running.
    os._exit(0)
