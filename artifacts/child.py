"""
A child process that works on one request after another, with a limit of time for each.

Parent and child talk over a socket pair, in lines of JSON. A child is used again as long as its requests succeed; it
ends once it has had nothing to do for a while, or its parent has closed the socket.
"""

import json
import os
import select
import signal
import socket
import subprocess  # nosec B404  # runs this very Python on one of our modules
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, TypeAlias

_START_S = 60.0
# A child that has nothing to do for this long ends.
_IDLE_S = 60.0
# A request's time leaves out what the child waits for a processor on a busy machine, up to this many times that time.
WAITING_FACTOR = 4
_BEGAN = b"began\n"

Reply: TypeAlias = dict[str, Any]


class ChildEnded(Exception):
    """The child ended while it worked on a request; the message says how: a signal or an exit code."""


class ChildLate(Exception):
    """The child took longer than the request may take, and was killed."""


class Child:
    """One child process; it is not used again where a request has failed, see `is_usable`."""

    def __init__(
        self,
        command: Callable[[int], Sequence[str]],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """
        Start the process.

        Args:
            command: Returns the command, given the descriptor of the child's end of the socket, for `answer_requests`.
            cwd: The folder that it runs in.
            env: Variables of its environment besides those of this process.
        """
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # nosec B603  # no shell; the command is our own
                command(theirs.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                cwd=cwd,
                env={**os.environ, **(env or {})},
            )
        # Without a buffer nothing that has arrived is hidden from `poll`.
        self._replies = self._socket.makefile("rb", buffering=0)
        self._is_new = True
        self.is_usable = True

    def ask(self, request: Mapping[str, Any], *, time_s: float) -> Reply | None:
        """
        Have it work on a request; None if it had ended before, so that another child must be started.

        The caller decides by the reply whether the child is used again.

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


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def answer_requests(descriptor: int, answer: Callable[[Any], Reply]) -> None:
    """Be the child: answer requests until the parent closes the socket or sends none any more, then end the process."""
    # Ctrl-C in a terminal is the parent's to handle.
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
    # Threads that a request has started do not keep this process alive.
    os._exit(0)
