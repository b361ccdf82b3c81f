"""A server process, pinned to a core and stopped together with all of its children."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from benchmarks.serving.peer import Peer, Place

STOP_S = 10.0
TICKS = os.sysconf("SC_CLK_TCK")


class NotMeasured(Exception):
    """A server does not start, returns wrong predictions, or fails under load; the message has the reason."""


def tree(pid: int) -> list[int]:
    """Return the ids of a process and its descendants."""
    children = defaultdict(list)
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (stat := _read(folder / "stat")):
            children[int(stat.rpartition(")")[2].split()[1])].append(int(folder.name))
    pids, waiting = [], [pid]
    while waiting:
        pids.append(waiting.pop())
        waiting += children[pids[-1]]
    return pids


def _read(path: Path) -> str:
    """Return the text of a file in /proc, or an empty text if its process has ended."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def busy_s(core: int) -> float:
    """Return how long a core has been busy so far, for all processes, including time that the host took."""
    [line] = [line for line in Path("/proc/stat").read_text().splitlines() if line.startswith(f"cpu{core} ")]
    user, nice, system, _idle, _waiting, _irq, _softirq, stolen = map(int, line.split()[1:9])
    return (user + nice + system + stolen) / TICKS


class Process:
    """One server of one peer."""

    def __init__(self, peer: Peer, place: Place, models: Sequence[str], *, core: int) -> None:
        self.peer, self.place = peer, place
        self.log = place.folder / "logs" / f"{peer.name.replace(' ', '-')}.log"
        self._models, self._core = models, core

    def __enter__(self) -> Self:
        _await_port(self.place.port)
        self.log.parent.mkdir(exist_ok=True)
        with self.log.open("wb") as log:
            self.began = time.monotonic()
            self._popen = subprocess.Popen(
                ["taskset", "--cpu-list", str(self._core), *self._command()],
                cwd=self.place.folder,
                env=self.peer.env(self.place, self._models),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def _command(self) -> list[str]:
        return self.peer.command(self.place, self.place.programs(self.peer.environment), self._models)

    def __exit__(self, *_: object) -> None:
        # A pidfd refers to one process for ever, so that a reused process id is never killed.
        left = [os.pidfd_open(pid) for pid in tree(self._popen.pid)]
        os.killpg(self._popen.pid, signal.SIGTERM)
        try:
            self._popen.wait(STOP_S)
        except subprocess.TimeoutExpired:
            print(f"{self.peer.name} does not end by SIGTERM", file=sys.stderr)
        for process in left:
            _kill(process)
        self._popen.wait()

    def check_alive(self) -> None:
        """Raise NotMeasured if the process has ended."""
        if self._popen.poll() is not None:
            raise NotMeasured(f"exited with {self._popen.returncode}: {self.log_end}")

    @property
    def log_end(self) -> str:
        """The end of the log."""
        return self.log.read_text(errors="replace")[-500:]

    @property
    def cpu_s(self) -> float:
        """The processor time of all its processes so far."""
        stats = [_read(Path(f"/proc/{pid}/stat")) for pid in tree(self._popen.pid)]
        return sum(sum(map(int, stat.rpartition(")")[2].split()[11:13])) for stat in stats if stat) / TICKS

    @property
    def memory_mib(self) -> float:
        """The proportional set size of all its processes, in which a shared page counts once."""
        rollups = [_read(Path(f"/proc/{pid}/smaps_rollup")) for pid in tree(self._popen.pid)]
        return sum(int(rollup.partition("\nPss:")[2].split()[0]) for rollup in rollups if rollup) / 1024


def _kill(process: int) -> None:
    try:
        signal.pidfd_send_signal(process, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        os.close(process)


def _await_port(port: int) -> None:
    """Wait until the port is free: the previous server may still listen for a moment."""
    deadline = time.monotonic() + STOP_S
    while _is_taken(port):
        if time.monotonic() > deadline:
            raise SystemExit(f"port {port} is in use: choose another one with --port")
        time.sleep(0.05)


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
