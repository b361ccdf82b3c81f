"""A real PostgreSQL for tests, in a temporary folder and on a free port."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.server import free_port

_OWNER = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root


def find_binaries() -> Path | None:
    """Return the folder of initdb and pg_ctl, which Debian does not have in the PATH."""
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(debian, default=shutil.which("initdb"), key=lambda path: float(Path(path).parts[-3]))
    return Path(newest).parent if newest else None


@dataclass
class Running:
    """A PostgreSQL that tests can stop and suspend."""

    binaries: Path
    home: Path
    port: int

    @property
    def url(self) -> str:
        """The URL of its empty database."""
        return f"postgresql+psycopg://sepal@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.home} -c fsync=off"
        self._control("-l", self.home / "log", "-o", options, "start")

    def stop(self) -> None:
        """End it at once."""
        self._control("-m", "immediate", "stop")

    @contextmanager
    def without(self, how: str) -> Iterator[None]:
        """Run a block while it is `stopped`, or `suspended`: it keeps all connections open and never answers."""
        if how == "stopped":
            self.stop()
            yield
            self.start()
            return
        processes = self._processes()
        try:
            for process in processes:
                os.kill(process, signal.SIGSTOP)
            yield
        finally:
            for process in processes:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGCONT)

    def _processes(self) -> list[int]:
        first = int((self.home / "data" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        return [first, *map(int, children)]

    def _control(self, *command: object) -> None:
        _call(self.binaries / "pg_ctl", "-w", "-D", self.home / "data", *command)


@contextmanager
def started(binaries: Path) -> Iterator[Running]:
    """Make a PostgreSQL in a temporary folder, and start it."""
    home = Path(tempfile.mkdtemp(prefix="sepal-postgres-"))
    if _OWNER:
        shutil.chown(home, _OWNER)
    found = Running(binaries, home, free_port())
    try:
        _call(binaries / "initdb", "-A", "trust", "-U", "sepal", "-D", home / "data")
        found.start()
        try:
            yield found
        finally:
            found.stop()
    finally:
        shutil.rmtree(home)


@contextmanager
def running(binaries: Path) -> Iterator[str]:
    """Start PostgreSQL, and yield the URL of an empty database."""
    with started(binaries) as found:
        yield found.url


def _call(*command: object) -> None:
    subprocess.run(list(map(str, command)), check=True, user=_OWNER, stdout=subprocess.DEVNULL, cwd="/", timeout=60)
