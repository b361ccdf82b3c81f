"""A server whose constants are shorter, in one process without a supervisor: python -m tests.support.tuned_server."""

import json
import os
import sys
from functools import partial
from typing import Any

import uvicorn

from serve.app.development import ensure_developer, with_secrets
from serve.app.root import create_app
from serve.app.worker import configure
from serve.cli import context
from serve.http.supervisor import bind
from serve.http.timeouts import Timeouts
from serve.settings import Settings
from serve.telemetry.logs import configure_logging

CONSTANTS = "SEPAL_TEST_CONSTANTS"
COMMAND = (sys.executable, "-m", "tests.support.tuned_server")


def tuned(env: dict[str, str], **constants: Any) -> dict[str, str]:
    """
    Return an environment in which COMMAND starts a server with other constants.

    Args:
        env: The environment of an ordinary server.
        constants: `timeouts` is a mapping of the fields of `Timeouts`; all others are arguments of `create_app`.
    """
    return {**env, CONSTANTS: json.dumps(constants)}


def main() -> None:
    """Serve until a signal comes: `run --port N`, as the server's own command line has it."""
    settings = with_secrets(Settings(port=int(sys.argv[3])))
    constants = json.loads(os.environ[CONSTANTS])
    timeouts = Timeouts(**constants.pop("timeouts", {}))
    with context.open_context(settings) as opened:
        if not settings.is_production:
            ensure_developer(settings.state, opened.admin)
    configure_logging(level=settings.log_level, form=settings.log_format)
    create = partial(create_app, settings, **constants)
    uvicorn.Server(configure(settings, create, timeouts)).run(bind(settings.host, settings.port))


if __name__ == "__main__":
    main()
