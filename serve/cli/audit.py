"""python -m serve audit: what happened to people and their rights."""

import argparse
import json
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serve.cli.context import CommandContext


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command that shows the audit."""
    parser = commands.add_parser("audit", help="logins, lock-outs and changes of rights, a line of JSON each")
    parser.add_argument("--last", type=int, default=100, help="so many of the newest (default: %(default)s)")
    parser.add_argument("--user", default="", help="done by this user, or to them")
    parser.set_defaults(call=_show)


def _show(office: "CommandContext", arguments: argparse.Namespace) -> None:
    if arguments.last < 1:
        raise ValueError("--last is 1 or more")
    for entry in office.records.audit.last(arguments.last, user=arguments.user):
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(entry.at))
        line = {"at": at, "event": entry.event, "who": entry.who, "address": entry.address, "subject": entry.subject}
        print(json.dumps({**line, **json.loads(entry.facts)}))
