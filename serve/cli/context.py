"""Where the commands do their work: the database of the settings, and in whose name."""

import argparse
import getpass
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serve.auth.security_store import SecurityStore
from serve.auth.user_admin import UserAdmin
from serve.auth.users import Users
from serve.errors import ServeError
from serve.settings import Settings
from serve.storage import database

Call = Callable[["CommandContext", argparse.Namespace], None]


class CommandContext:
    """The records of a deployment, and who is at work on them."""

    def __init__(self, records: SecurityStore) -> None:
        self.who = f"os:{_user()}"
        self.records = records
        self.users = Users(records.engine)
        self.people: UserAdmin = records.user_admin(self.who)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Do what was asked; 2 if it cannot be, with one line that says why."""
    call: Call = arguments.call
    try:
        with opened(settings) as office:
            call(office, arguments)
    except (ServeError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


@contextmanager
def opened(settings: Settings) -> Iterator[CommandContext]:
    """
    The database, its schema the newest.

    Raises:
        DatabaseUnavailable: It does not answer.
    """
    database.prepare(settings.database)
    engine = database.connect(settings.database)
    try:
        yield CommandContext(SecurityStore.of(engine, audit_days=settings.audit_days))
    finally:
        engine.dispose()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # In a container, a number need not have a name.
        return str(os.getuid())
