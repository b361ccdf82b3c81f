"""The context of a command: the database of the settings, and who runs the command."""

import argparse
import getpass
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serve.auth.security_store import SecurityStore
from serve.errors import ServeError
from serve.settings import Settings
from serve.storage import database

Call = Callable[["CommandContext", argparse.Namespace], None]


class CommandContext:
    """The database of a deployment; the audit names the user of the operating system."""

    def __init__(self, records: SecurityStore) -> None:
        self.who = f"os:{_user()}"
        self.records = records
        self.admin = records.user_admin(self.who)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Run a command; return 2 if it fails, after printing the reason in one line."""
    call: Call = arguments.call
    try:
        with open_context(settings) as context:
            call(context, arguments)
    except (ServeError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


@contextmanager
def open_context(settings: Settings) -> Iterator[CommandContext]:
    """
    Open the database, after migrating it to the newest schema.

    Raises:
        DatabaseUnavailable: It does not answer.
    """
    database.prepare(settings.database)
    engine = database.connect(settings.database)
    try:
        yield CommandContext(SecurityStore(engine, audit_days=settings.audit_days))
    finally:
        engine.dispose()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # In a container, the number of a user need not have a name.
        return str(os.getuid())
