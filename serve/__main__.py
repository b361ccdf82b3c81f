"""The server from the command line: python -m serve run | token, and who may ask it for what."""

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
from typing import TYPE_CHECKING, NoReturn

from pydantic import ValidationError
from pydantic_settings import SettingsError

from artifacts.errors import KeyInvalid
from artifacts.output import piped
from artifacts.settings import complaints, misspelt
from serve.app.development import USER, ensure_secrets, with_secrets
from serve.cli import add_to, signing_keys
from serve.settings import Settings

if TYPE_CHECKING:
    from serve.cli.context import CommandContext

DEVELOPMENT_TOKEN_S = 12 * 3600


def main(argv: Sequence[str] | None = None, *, program: str = "python -m serve") -> int:
    """Run one command; 0 if it did what was asked, 2 if a setting or an argument is wrong."""
    return piped(partial(_main, argv, program))


def _main(argv: Sequence[str] | None, program: str) -> int:
    arguments = _parser(program).parse_args(argv)
    given = {name: getattr(arguments, name, None) for name in ("host", "port", "workers")}
    for line in misspelt(Settings.model_fields):
        print(line, file=sys.stderr)
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        print("\n".join(complaints(error, Settings)), file=sys.stderr)
        return 2
    except SettingsError as error:
        print(f"a setting is not the JSON that it must be: {error}", file=sys.stderr)
        return 2
    try:
        return _command(settings, arguments)
    except KeyInvalid as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:
        raise
    except OSError as error:
        print(f"{error.filename or 'the system'}: {error.strerror}", file=sys.stderr)
        return 2


def _command(settings: Settings, arguments: argparse.Namespace) -> int:
    if arguments.command == "run":
        return _run(settings)
    if arguments.command == "token":
        return _token(settings)
    if arguments.command == "signing-keys":
        return signing_keys.run(settings, arguments)
    # Imported here: the database's libraries are nothing that `--help` waits for.
    from serve.cli import context

    return context.run(settings, arguments)


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program, description="The server from the command line, and who may ask it for what."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="answer over HTTP until SIGTERM or Ctrl-C")
    run.add_argument("--host", help="address to listen on (default: SEPAL_HOST)")
    run.add_argument("--port", type=int, help="port to listen on (default: SEPAL_PORT)")
    run.add_argument("--workers", type=int, help="processes that answer (default: SEPAL_WORKERS)")
    commands.add_parser("token", help="print a token of the development user: every scope, 12 hours")
    signing_keys.add_to(commands)
    add_to(commands)
    return parser


def _run(settings: Settings) -> int:
    # The first process of a container is not even sent a signal that it has no handler for, so this comes before
    # anything that takes time.
    signal.signal(signal.SIGTERM, _exit)
    signal.signal(signal.SIGINT, _exit)
    if not _has_keys(settings):
        return 2
    from artifacts.keys import Keys
    from serve.cli import context
    from serve.errors import DatabaseUnavailable
    from serve.http.listening import allow_files, limit_threads
    from serve.http.supervisor import bind
    from serve.telemetry.logs import configure_logging

    limit_threads(settings.model_threads, workers=settings.workers)
    allow_files(settings.max_connections)
    # A key that is none ends the start here, and not in each worker.
    _ = Keys.of(settings).trusted
    try:
        with context.open_context(settings) as opened:
            if settings.is_production and opened.admin.find(USER):
                print(f"production has no development user: python -m serve users remove {USER}", file=sys.stderr)
                return 2
            if not settings.is_production:
                settings = with_secrets(settings)
                _ensure_developer(settings, opened)
    except DatabaseUnavailable as error:
        print(f"{error}: see SEPAL_DATABASE_URL", file=sys.stderr)
        return 2
    try:
        listeners = bind(settings.host, settings.port)
    except OSError as error:
        print(f"port {settings.port} of {settings.host}: {error.strerror}; see SEPAL_HOST, SEPAL_PORT", file=sys.stderr)
        return 2
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

    # Workers read the settings anew: what the command line overrules is the same for them.
    os.environ.update({f"SEPAL_{name.upper()}": str(getattr(settings, name)) for name in ("host", "port", "workers")})
    with tempfile.TemporaryDirectory(prefix="sepal-") as folder:
        if settings.workers > 1:
            # One worker counts in its memory, which is quicker; its counters start anew when it is replaced.
            os.environ[MULTIPROCESS] = str(Path(folder) / "metrics")
            (Path(folder) / "metrics").mkdir()
        trials = Path(folder) / "trials"
        trials.mkdir()
        return Supervisor(
            lambda: Worker(listeners, str(trials)),
            workers=settings.workers,
            shutdown_s=settings.shutdown_s,
            on_serving=welcome,
        ).run(listeners)


def _has_keys(settings: Settings) -> bool:
    """Whether the settings lead to keys that tokens can be verified with; what is wrong with them is told in a line."""
    if not settings.token_keys and not settings.oidc_issuer:
        return True
    from serve.app.security import make_oidc_keys, make_oidc_verifier, make_tokens

    try:
        if settings.token_keys:
            make_tokens(settings)
            _warn_of_readers(Path(settings.token_keys))
        if make_oidc_verifier(settings):
            make_oidc_keys(settings)
    except ValueError as error:
        print(error, file=sys.stderr)
        return False
    return True


def _warn_of_readers(keys: Path) -> None:
    # No refusal: what Kubernetes mounts is often readable by all who are in the container.
    if keys.stat().st_mode & 0o077:
        print(f"{keys}: others may read the keys that sign tokens: chmod 600", file=sys.stderr)


def _exit(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def _ensure_developer(settings: Settings, context: "CommandContext") -> None:
    """The user of development, with the password that stands in the file, whatever the database was told before."""
    from serve.auth.passwords import Passwords
    from serve.auth.principals import ALL_PERMISSIONS, scope_of

    passwords = Passwords()
    password = ensure_secrets(settings.state).password
    known = context.admin.find(USER)
    if known is None:
        context.admin.add(USER, password_hash=passwords.hash(password), permissions=ALL_PERMISSIONS)
        return
    if not passwords.verify(password, known.password_hash):
        context.admin.set_password(USER, passwords.hash(password))
    if known.disabled:
        context.admin.enable(USER)
    if known.scope != scope_of(ALL_PERMISSIONS):
        context.admin.set(USER, permissions=ALL_PERMISSIONS)


def _token(settings: Settings) -> int:
    if settings.is_production:
        print("production has no development user: log in at /api/v1/token", file=sys.stderr)
        return 2
    if not _has_keys(settings):
        return 2
    from serve.app.security import make_tokens
    from serve.auth.grants import Grants
    from serve.cli import context
    from serve.errors import DatabaseUnavailable

    settings = with_secrets(settings)
    try:
        with context.open_context(settings) as opened:
            _ensure_developer(settings, opened)
            grants = Grants(opened.records, make_tokens(settings), refresh_ttl_s=DEVELOPMENT_TOKEN_S)
            print(grants.issue_for_admin(USER, ttl_s=DEVELOPMENT_TOKEN_S).token)
    except DatabaseUnavailable as error:
        print(f"{error}: see SEPAL_DATABASE_URL", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
