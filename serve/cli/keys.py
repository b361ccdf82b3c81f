"""python -m serve keys: what machines ask with."""

import argparse
import re
from typing import TYPE_CHECKING

from serve.cli.formatting import day

if TYPE_CHECKING:
    from serve.cli.context import CommandContext

_UNITS_S = {"m": 60, "h": 3600, "d": 86_400}


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The commands about keys."""
    actions = commands.add_parser("keys", help="what machines ask with").add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="every key, a line each, but never its secret").set_defaults(call=_list)
    create = actions.add_parser("create", help="print a new key; it cannot be shown again")
    create.add_argument("name", help="of the machine; its requests are logged as key:NAME")
    create.add_argument("--scopes", default="predict", help="separated by blanks (default: %(default)s)")
    create.add_argument(
        "--expires", default="90d", type=_seconds, help="in m, h or d (default: %(default)s; most: 366d)"
    )
    create.set_defaults(call=_create)
    revoke = actions.add_parser("revoke", help="let a key count no more")
    revoke.add_argument("id", help="as `keys list` prints it")
    revoke.set_defaults(call=_revoke)


def _seconds(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,6})([mhd])", text)
    if found is None:
        raise argparse.ArgumentTypeError("a number and m, h or d, such as 90d")
    return int(found[1]) * _UNITS_S[found[2]]


def _list(office: "CommandContext", _arguments: argparse.Namespace) -> None:
    for key in office.records.keys.all():
        state = "" if key.revoked_at is None else f"  revoked {day(key.revoked_at)}"
        print(f"{key.id}  {key.name}  {key.scope}  since {day(key.created_at)}  until {day(key.expires_at)}{state}")


def _create(office: "CommandContext", arguments: argparse.Namespace) -> None:
    from serve.auth.users.scopes import parsed

    keys = office.records.keys
    print(keys.create(arguments.name, parsed(arguments.scopes), life_s=arguments.expires, who=office.who))


def _revoke(office: "CommandContext", arguments: argparse.Namespace) -> None:
    key = office.records.keys.revoke(arguments.id, who=office.who)
    print(f"revoked {key.id}: {key.name}")
