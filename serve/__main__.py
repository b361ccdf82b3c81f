"""The server's command line: python -m serve run, token, and the administration of users and keys."""

import argparse
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NoReturn

from pydantic import ValidationError

from artifacts.errors import KeyInvalid
from artifacts.output import piped
from artifacts.settings import complaints, unknown_variables
from serve.app.development import USER, ensure_developer, with_secrets
from serve.cli import add_to, signing_keys
from serve.errors import DatabaseUnavailable
from serve.settings import Settings
from serve.settings.former import former_names

DEVELOPMENT_TOKEN_S = 12 * 3600


class Refused(Exception):
    """Why a command does not start, in one line for each reason."""


def main(argv: Sequence[str] | None = None, *, program: str = "python -m serve") -> int:
    """Run one command; return 0 if it succeeded, 2 if a setting or an argument is wrong."""
    return piped(partial(_main, argv, program))


def _main(argv: Sequence[str] | None, program: str) -> int:
    arguments = _parser(program).parse_args(argv)
    try:
        return _command(_settings(arguments), arguments)
    except (KeyInvalid, Refused) as error:
        print(error, file=sys.stderr)
    except DatabaseUnavailable as error:
        print(f"{error}: see SEPAL_DATABASE_URL", file=sys.stderr)
    except BrokenPipeError:
        raise
    except OSError as error:
        print(f"{error.filename or 'the system'}: {error.strerror}", file=sys.stderr)
    return 2


def _settings(arguments: argparse.Namespace) -> Settings:
    """Read the settings; options of the command line win."""
    if former := "\n".join(former_names()):
        raise Refused(former)
    for line in unknown_variables(Settings.model_fields):
        print(line, file=sys.stderr)
    options = {name: getattr(arguments, name, None) for name in ("host", "port", "workers")}
    try:
        return Settings(**{name: value for name, value in options.items() if value is not None})
    except ValidationError as error:
        raise Refused("\n".join(complaints(error, Settings))) from error


def _command(settings: Settings, arguments: argparse.Namespace) -> int:
    if arguments.command == "run":
        return _run(settings)
    if arguments.command == "token":
        return _token(settings)
    if arguments.command == "signing-keys":
        return signing_keys.run(settings, arguments)
    # Imported here: `--help` does not wait for the libraries of the database.
    from serve.cli import context

    return context.run(settings, arguments)


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program, description="The server's command line.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="serve over HTTP until SIGTERM or Ctrl-C")
    run.add_argument("--host", help="address to listen on (default: SEPAL_HOST)")
    run.add_argument("--port", type=int, help="port to listen on (default: SEPAL_PORT)")
    run.add_argument("--workers", type=int, help="number of worker processes (default: SEPAL_WORKERS)")
    commands.add_parser("token", help="print a token of the development user: every scope, 12 hours")
    signing_keys.add_to(commands)
    add_to(commands)
    return parser


def _run(settings: Settings) -> int:
    # First of all, since the first process of a container gets no signal that it has no handler for.
    signal.signal(signal.SIGTERM, _exit)
    signal.signal(signal.SIGINT, _exit)
    _check_keys(settings)
    from artifacts.keys import Keys
    from serve.cli import context
    from serve.http.listening import allow_files, limit_threads
    from serve.http.supervisor import bind
    from serve.telemetry.logs import configure_logging

    limit_threads(settings.model_threads, workers=settings.workers)
    allow_files(settings.max_connections)
    # An invalid key ends the start here, not in each worker.
    _ = Keys.of(settings).trusted
    with context.open_context(settings) as opened:
        if not settings.is_production:
            settings = with_secrets(settings)
            ensure_developer(settings.state, opened.admin)
        elif opened.admin.find(USER):
            raise Refused(f"production must not have the development user: python -m serve users remove {USER}")
    try:
        listeners = bind(settings.host, settings.port)
    except OSError as error:
        raise Refused(
            f"port {settings.port} of {settings.host}: {error.strerror}; see SEPAL_HOST, SEPAL_PORT"
        ) from error
    configure_logging(level=settings.log_level, form=settings.log_format)
    return _supervise(settings, listeners)


def _supervise(settings: Settings, listeners: list[socket.socket]) -> int:
    """Run the workers until a signal comes."""
    from serve.cli.banner import print_banner
    from serve.http.supervisor import Report, Supervisor, Worker
    from serve.telemetry.metrics import MULTIPROCESS

    def welcome(report: Report) -> None:
        if not settings.is_production:
            port = listeners[0].getsockname()[1]
            print_banner(settings.model_copy(update={"port": port}), **report)

    # Workers read the settings themselves: options of the command line reach them in the environment.
    os.environ.update({f"SEPAL_{name.upper()}": str(getattr(settings, name)) for name in ("host", "port", "workers")})
    with tempfile.TemporaryDirectory(prefix="sepal-") as folder:
        metrics, trials = Path(folder) / "metrics", Path(folder) / "trials"
        trials.mkdir()
        if settings.workers > 1:
            # One worker counts in its memory, which is faster; its counters start at zero when it is replaced.
            os.environ[MULTIPROCESS] = str(metrics)
            metrics.mkdir()
        return Supervisor(
            lambda: Worker(listeners, str(trials)),
            workers=settings.workers,
            shutdown_s=settings.shutdown_s,
            on_serving=welcome,
        ).run(listeners)


def _check_keys(settings: Settings) -> None:
    """
    Check that the settings lead to keys that verify tokens.

    Raises:
        OSError: The file of the keys cannot be read.
        Refused: They do not.
    """
    if not settings.token_keys and not settings.oidc_issuer:
        return
    from serve.app.security import make_oidc_keys, make_oidc_verifier, make_tokens

    try:
        if settings.token_keys:
            make_tokens(settings)
        if make_oidc_verifier(settings):
            make_oidc_keys(settings)
    except ValueError as error:
        raise Refused(str(error)) from error
    # Only a warning: files that Kubernetes mounts are often readable by everyone in the container.
    if settings.token_keys and Path(settings.token_keys).stat().st_mode & 0o077:
        print(f"{settings.token_keys}: other users can read the keys that sign tokens: chmod 600", file=sys.stderr)


def _exit(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def _token(settings: Settings) -> int:
    if settings.is_production:
        raise Refused("production has no development user: log in at /api/v1/token")
    _check_keys(settings)
    from serve.app.security import make_tokens
    from serve.auth.grants import Grants
    from serve.cli import context

    settings = with_secrets(settings)
    with context.open_context(settings) as opened:
        ensure_developer(settings.state, opened.admin)
        grants = Grants(opened.records, make_tokens(settings), refresh_ttl_s=DEVELOPMENT_TOKEN_S)
        print(grants.issue_for_admin(USER, ttl_s=DEVELOPMENT_TOKEN_S).token)
    return 0


if __name__ == "__main__":
    sys.exit(main())
