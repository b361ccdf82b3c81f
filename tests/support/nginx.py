"""A real nginx in front of a server, with one connection to it that all clients share."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.server import free_port

START_S = 10.0
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def find_binary() -> str | None:
    """Return the path of nginx, which Debian does not have in the PATH of users."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


def _configuration(home: Path, port: int, upstream: int) -> str:
    folders = " ".join(f"{name}_temp_path {home}/{name};" for name in _TEMPORARY)
    return f"""
        daemon off; worker_processes 1; pid {home}/pid; error_log {home}/error.log;
        events {{ worker_connections 256; }}
        http {{
            access_log off; {folders}
            upstream sepal {{ server 127.0.0.1:{upstream}; keepalive 1; }}
            server {{
                listen 127.0.0.1:{port};
                location / {{
                    proxy_pass http://sepal;
                    proxy_http_version 1.1;
                    proxy_set_header Connection "";
                    proxy_request_buffering off;
                }}
            }}
        }}
    """


@contextmanager
def running(binary: str, upstream: int) -> Iterator[int]:
    """Start nginx in front of that port, and yield its own port."""
    home, port = Path(tempfile.mkdtemp(prefix="sepal-nginx-")), free_port()
    (home / "nginx.conf").write_text(_configuration(home, port, upstream))
    command = [binary, "-p", str(home), "-c", str(home / "nginx.conf"), "-e", str(home / "error.log")]
    try:
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                _await_listener(port, process)
                yield port
            finally:
                process.terminate()
                process.wait(START_S)
    finally:
        shutil.rmtree(home)


def _await_listener(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, "nginx did not start"
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("nginx does not listen")
