"""Commands that start and call a server on this machine, to be printed in a terminal."""

import re
import shlex
import shutil
import sys
from pathlib import Path

from artifacts.settings import environment_variables

_CLONE = Path(__file__).resolve().parents[1]
_PORT = 8000


def api() -> str:
    """Return the address of the API, at the port of SEPAL_PORT if that is valid."""
    port = environment_variables().get("sepal_port") or ""
    return f"http://127.0.0.1:{port if re.fullmatch('[1-9][0-9]{0,4}', port) else _PORT}/api/v1"


def serve_command() -> str:
    """Return the command that starts the server."""
    return "make serve" if _is_in_clone() else _command("serve run")


def token_command() -> str:
    """Return the command that prints a token of the development user."""
    return "make -s token" if _is_in_clone() else _command("serve token")


def _is_in_clone() -> bool:
    return Path("Makefile").is_file() and Path().samefile(_CLONE)


def _command(arguments: str) -> str:
    return f"sepal {arguments}" if shutil.which("sepal") else f"{shlex.quote(sys.executable)} -m {arguments}"
