"""python -m serve audit: print logins and changes of users, roles and keys."""

import argparse
import json
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serve.cli.context import CommandContext


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command that prints the audit."""
    parser = commands.add_parser("audit", help="print logins, lock-outs and administrative changes, as JSON lines")
    parser.add_argument("--last", type=int, default=100, help="number of newest entries (default: %(default)s)")
    parser.add_argument("--user", default="", help="only entries by or about this user")
    parser.set_defaults(call=_show)


def _show(context: "CommandContext", arguments: argparse.Namespace) -> None:
    if arguments.last < 1:
        raise ValueError("--last must be 1 or more")
    for entry in context.records.audit.last(arguments.last, user=arguments.user):
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(entry.at))
        line = {"at": at, "event": entry.event, "who": entry.who, "address": entry.address, "subject": entry.subject}
        print(json.dumps({**line, **json.loads(entry.facts)}))
