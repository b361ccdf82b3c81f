"""python -m serve sessions: who is logged in."""

import argparse
from typing import TYPE_CHECKING

from serve.cli.formatting import day, ended

if TYPE_CHECKING:
    from serve.cli.context import CommandContext


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The commands about sessions."""
    actions = commands.add_parser("sessions", help="who is logged in").add_subparsers(dest="action", required=True)
    listing = actions.add_parser("list", help="every session, a line each")
    listing.add_argument("--user", help="of this user only")
    listing.set_defaults(call=_list)
    end = actions.add_parser("end", help="end a session, or all of a user's")
    which = end.add_mutually_exclusive_group(required=True)
    which.add_argument("id", nargs="?", help="as `sessions list` prints it")
    which.add_argument("--user", help="all of this user's")
    end.set_defaults(call=_end)


def _list(office: "CommandContext", arguments: argparse.Namespace) -> None:
    sessions = office.records.sessions
    for login in sessions.of(arguments.user) if arguments.user else sessions.all():
        when = f"since {day(login.created_at)}  used {day(login.used_at)}  until {day(login.expires_at)}"
        print(f"{login.id}  {login.user}  {login.scope}  from {login.address or '-'}  {when}")


def _end(office: "CommandContext", arguments: argparse.Namespace) -> None:
    from serve.errors import UserNotFound

    if arguments.user:
        if office.users.find(arguments.user) is None:
            raise UserNotFound(f"there is no user {arguments.user!r}")
        print(f"logged out {arguments.user}{ended(office.people.log_out(arguments.user))}")
        return
    office.records.sessions.end(arguments.id, who=office.who, address="")
    print(f"ended {arguments.id}")
