"""python -m serve sessions: list and end the sessions of users."""

import argparse
from typing import TYPE_CHECKING

from serve.cli.formatting import format_ended, format_time

if TYPE_CHECKING:
    from serve.cli.context import CommandContext


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands about sessions."""
    parser = commands.add_parser("sessions", help="list and end sessions")
    actions = parser.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("list", help="list all sessions")
    listing.add_argument("--user", help="only those of this user")
    listing.set_defaults(call=_list)
    end = actions.add_parser("end", help="end one session, or all sessions of a user")
    which = end.add_mutually_exclusive_group(required=True)
    which.add_argument("id", nargs="?", help="as `sessions list` prints it")
    which.add_argument("--user", help="end all sessions of this user")
    end.set_defaults(call=_end)


def _list(context: "CommandContext", arguments: argparse.Namespace) -> None:
    for login in context.records.sessions.all(arguments.user or None):
        times = [format_time(at) for at in (login.created_at, login.used_at, login.expires_at)]
        when = "since {}  used {}  until {}".format(*times)
        print(f"{login.id}  {login.user}  {login.scope}  from {login.address or '-'}  {when}")


def _end(context: "CommandContext", arguments: argparse.Namespace) -> None:
    if arguments.user:
        print(f"logged out {arguments.user}{format_ended(context.admin.log_out(arguments.user))}")
        return
    context.records.sessions.end(arguments.id, who=context.who, address="")
    print(f"ended {arguments.id}")
