"""A real PostgreSQL of the tests' own: made in a temporary folder, on a free port, gone afterwards."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.server import free_port

_OWNER = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root


def find_binaries() -> Path | None:
    """The folder of initdb and pg_ctl; Debian keeps it off the PATH."""
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(debian, default=shutil.which("initdb"), key=lambda path: float(Path(path).parts[-3]))
    return Path(newest).parent if newest else None


@contextmanager
def running(binaries: Path) -> Iterator[str]:
    """Start PostgreSQL, and give the URL of an empty database."""
    home = Path(tempfile.mkdtemp(prefix="sepal-postgres-"))
    if _OWNER:
        shutil.chown(home, _OWNER)
    port, data = free_port(), home / "data"
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={home} -c fsync=off"
    try:
        _call(binaries / "initdb", "-A", "trust", "-U", "sepal", "-D", data)
        _call(binaries / "pg_ctl", "-w", "-D", data, "-l", home / "log", "-o", options, "start")
        try:
            yield f"postgresql+psycopg://sepal@127.0.0.1:{port}/postgres"
        finally:
            _call(binaries / "pg_ctl", "-w", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(home)


def _call(*command: object) -> None:
    subprocess.run(list(map(str, command)), check=True, user=_OWNER, stdout=subprocess.DEVNULL, cwd="/", timeout=60)
