"""The server from the command line: python -m serve run | token, and who may ask it for what."""

import argparse
import json
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, cast

from pydantic import ValidationError
from pydantic_settings import SettingsError

from artifacts.errors import KeyInvalid
from artifacts.settings import complaints
from serve.commands import add_to
from serve.development import USER, ensure_secrets, with_secrets
from serve.settings import Settings

if TYPE_CHECKING:
    from serve.commands.office import Office

DEVELOPMENT_TOKEN_S = 12 * 3600
# How the libraries beneath the models are told how many threads they may have.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "BLIS_NUM_THREADS")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 if it did what was asked, 2 if a setting or an argument is wrong."""
    arguments = _parser().parse_args(argv)
    given = {name: getattr(arguments, name, None) for name in ("host", "port", "workers")}
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        print("\n".join(complaints(error)), file=sys.stderr)
        return 2
    except SettingsError as error:
        print(f"a setting is not the JSON that it must be: {error}", file=sys.stderr)
        return 2
    try:
        return _command(settings, arguments)
    except KeyInvalid as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{error.filename or 'the system'}: {error.strerror}", file=sys.stderr)
        return 2


def _command(settings: Settings, arguments: argparse.Namespace) -> int:
    if arguments.command == "run":
        return _run(settings)
    if arguments.command == "token":
        return _token(settings)
    if arguments.command == "signing-keys":
        return _rotate(settings, arguments)
    # Imported here: the database's libraries are nothing that `--help` waits for.
    from serve.commands import office

    return office.run(settings, arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m serve", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="answer over HTTP until SIGTERM or Ctrl-C")
    run.add_argument("--host", help="address to listen on (default: SEPAL_HOST)")
    run.add_argument("--port", type=int, help="port to listen on (default: SEPAL_PORT)")
    run.add_argument("--workers", type=int, help="processes that answer (default: SEPAL_WORKERS)")
    commands.add_parser("token", help="print a token of the development user: every scope, 12 hours")
    _add_signing_keys(commands.add_parser("signing-keys", help="the keys in SEPAL_TOKEN_KEYS, which sign tokens"))
    add_to(commands)
    return parser


def _add_signing_keys(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="every key, the one that signs first")
    add = actions.add_parser("add", help="make a key, which verifies but does not sign yet, and print its id")
    add.add_argument("argument", metavar="ALGORITHM", choices=("ES256", "RS256", "HS256"))
    use = actions.add_parser("use", help="sign with this key from now on; the former ones verify")
    retire = actions.add_parser("retire", help="take a key away; its tokens count no longer")
    for named in (use, retire):
        named.add_argument("argument", metavar="KID")


def _run(settings: Settings) -> int:
    # uvicorn raises the signal again when it has drained, and this makes an orderly end of it; the first process of
    # a container is not even sent a signal that it has no handler for, so this comes before anything that takes time.
    signal.signal(signal.SIGTERM, _exit)
    signal.signal(signal.SIGINT, _exit)
    limit_threads(settings.model_threads, workers=settings.workers)
    allow_files(settings.max_connections)
    if not _has_keys(settings):
        return 2
    from artifacts.keys import Keys
    from serve.commands import office
    from serve.errors import DatabaseUnavailable
    from serve.telemetry import MULTIPROCESS, configure_logging

    # A key that is none ends the start here, and not in each worker.
    _ = Keys.of(settings).trusted
    try:
        with office.opened(settings) as opened:
            if settings.is_production and opened.users.find(USER):
                print(f"production has no development user: python -m serve users remove {USER}", file=sys.stderr)
                return 2
            if not settings.is_production:
                settings = with_secrets(settings)
                _ensure_developer(settings, opened)
                _print_welcome(settings)
    except DatabaseUnavailable as error:
        print(f"{error}: see SEPAL_DATABASE_URL", file=sys.stderr)
        return 2
    configure_logging(level=settings.log_level, form=settings.log_format)
    with tempfile.TemporaryDirectory(prefix="sepal-metrics-") as folder:
        if settings.workers > 1:
            os.environ[MULTIPROCESS] = folder
        return _listen(settings)


def _has_keys(settings: Settings) -> bool:
    """Whether the settings lead to keys that tokens can be verified with; what is wrong with them is told in a line."""
    if not settings.token_keys and not settings.oidc_issuer:
        return True
    from serve.app.security import make_issuer, make_outside, make_tokens

    try:
        if settings.token_keys:
            make_tokens(settings)
        if make_outside(settings):
            make_issuer(settings)
    except ValueError as error:
        print(error, file=sys.stderr)
        return False
    return True


def limit_threads(wanted: int, *, workers: int) -> None:
    """
    Let a call of a model have so many threads, but all workers together no more than there are cores.

    Threads that wait for each other's core take many times as long. What the environment says already, wins.
    """
    from threadpoolctl import threadpool_limits

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = max(1, min(wanted, cores // workers))
    if "OPENBLAS_NUM_THREADS" not in os.environ:
        # Numpy's own is loaded by now, and reads the environment no more.
        threadpool_limits(threads, user_api="blas")
    # Workers, and libraries that come with a model, do.
    for name in _THREADS:
        os.environ.setdefault(name, str(threads))


def allow_files(connections: int) -> None:
    """Let so many connections have a socket and an upload on the disk each, as far as the system permits."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * connections + 256
    if soft not in (resource.RLIM_INFINITY, hard) and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _listen(settings: Settings) -> int:
    import uvicorn
    from uvicorn.config import STARTUP_FAILURE
    from uvicorn.supervisors import Multiprocess

    from serve.patience import Patience, Watch
    from serve.protocol import Bounds, Protocol

    bounds = Bounds(settings.max_header_bytes, settings.max_headers, settings.max_connections)
    patience = Patience(
        headers_s=settings.headers_s,
        body_bytes_s=settings.body_bytes_s,
        body_grace_s=settings.body_grace_s,
        reader_s=settings.reader_s,
        keep_alive_s=settings.keep_alive_s,
    )
    config = uvicorn.Config(
        "serve.app.root:from_environment",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="uvloop",
        # Workers get a copy of their own, and so a watch of their own.
        http=cast(Any, partial(Protocol, bounds=bounds, watch=Watch(patience))),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=settings.shutdown_s,
    )
    if settings.workers > 1:
        supervisor = Multiprocess(config, [config.bind_socket()])
        supervisor.run()
        return STARTUP_FAILURE if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes) else 0
    server = uvicorn.Server(config)
    try:
        server.run()
    except SystemExit as end:
        return 0 if server.started else int(end.code or 0)
    return 0 if server.started else STARTUP_FAILURE


def _exit(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def _ensure_developer(settings: Settings, office: "Office") -> None:
    """The user of development, with the password that stands in the file, whatever the database was told before."""
    from serve.security.passwords import Passwords
    from serve.users import ALL_SCOPES
    from serve.users.scopes import written

    passwords = Passwords()
    password = ensure_secrets(settings.state).password
    known = office.users.find(USER)
    if known is None:
        office.people.add(USER, password_hash=passwords.hash(password), scopes=ALL_SCOPES)
        return
    if not passwords.verify(password, known.password_hash):
        office.people.set_password(USER, passwords.hash(password))
    if known.disabled:
        office.people.enable(USER)
    if known.scope != written(ALL_SCOPES):
        office.people.set(USER, scopes=ALL_SCOPES)


def _print_welcome(settings: Settings) -> None:
    # Whoever listens everywhere, 0.0.0.0 or ::, is found here.
    host = settings.host if settings.host.strip("0.:") else "127.0.0.1"
    base = f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
    print()
    print(f"sepal listens on {base} (development)")
    print(f"  docs      {base}/docs")
    print(f"  log in    {USER}, password in {ensure_secrets(settings.state).file}")
    print(f"{_example(settings, base)}\n", flush=True)


def _example(settings: Settings, base: str) -> str:
    """A curl that works, for a row of the first model in the store."""
    from artifacts import CHAMPION, ArtifactError, Store

    store = Store.of(settings)
    try:
        model = settings.default_model or store.models()[0]
        manifest, _ = store.vouched(model, store.resolve(model, CHAMPION))
    except (IndexError, ArtifactError):
        return "  no model  the store has none to serve: make train"
    body = json.dumps({"instances": [manifest.examples.instances[0]]})
    return f"""  try it    in another terminal:

curl -s {base}/api/v1/models/{model}/predict \\
  -H "Authorization: Bearer $(make -s -C {shlex.quote(str(Path.cwd()))} token)" \\
  -H "Content-Type: application/json" \\
  -d {shlex.quote(body)}"""


def _token(settings: Settings) -> int:
    if settings.is_production:
        print("production has no development user: log in at /api/v1/token", file=sys.stderr)
        return 2
    if not _has_keys(settings):
        return 2
    from serve.app.security import make_tokens
    from serve.commands import office
    from serve.errors import DatabaseUnavailable
    from serve.security.grants import Grants

    settings = with_secrets(settings)
    try:
        with office.opened(settings) as opened:
            _ensure_developer(settings, opened)
            records = opened.records
            grants = Grants(
                records.engine,
                make_tokens(settings),
                sessions=records.sessions,
                audit=records.audit,
                refresh_ttl_s=DEVELOPMENT_TOKEN_S,
            )
            print(grants.hand_out(USER, ttl_s=DEVELOPMENT_TOKEN_S).token)
    except DatabaseUnavailable as error:
        print(f"{error}: see SEPAL_DATABASE_URL", file=sys.stderr)
        return 2
    return 0


def _rotate(settings: Settings, arguments: argparse.Namespace) -> int:
    from serve.security.rotation import Rotation

    if not settings.token_keys:
        print("SEPAL_TOKEN_KEYS names no file", file=sys.stderr)
        return 2
    rotation = Rotation(Path(settings.token_keys), secret=settings.secret_key.get_secret_value())
    try:
        rotation.run(arguments.action, getattr(arguments, "argument", ""))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
