"""python -m serve keys: administer the API keys of machines."""

import argparse
import re
from typing import TYPE_CHECKING

from serve.auth.principals import parse_permissions
from serve.cli.formatting import format_time

if TYPE_CHECKING:
    from serve.cli.context import CommandContext

_UNITS_S = {"m": 60, "h": 3600, "d": 86_400}


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands about API keys."""
    parser = commands.add_parser("keys", help="administer the API keys of machines")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="list all keys, without their secrets").set_defaults(call=_list)
    create = actions.add_parser("create", help="create a key and print it; it cannot be shown again")
    create.add_argument("name", help="of the machine; its requests are logged as key:NAME")
    create.add_argument("--scopes", default="predict", help="separated by spaces (default: %(default)s)")
    create.add_argument(
        "--expires", default="90d", type=_seconds, help="lifetime in m, h or d (default: %(default)s; at most 366d)"
    )
    create.set_defaults(call=_create)
    revoke = actions.add_parser("revoke", help="revoke a key")
    revoke.add_argument("id", help="as `keys list` prints it")
    revoke.set_defaults(call=_revoke)


def _seconds(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,6})([mhd])", text)
    if found is None:
        raise argparse.ArgumentTypeError("expected a number and m, h or d, such as 90d")
    return int(found[1]) * _UNITS_S[found[2]]


def _list(context: "CommandContext", _arguments: argparse.Namespace) -> None:
    for key in context.records.api_keys.all():
        state = "" if key.revoked_at is None else f"  revoked {format_time(key.revoked_at)}"
        times = f"since {format_time(key.created_at)}  until {format_time(key.expires_at)}"
        print(f"{key.id}  {key.name}  {key.scope}  {times}{state}")


def _create(context: "CommandContext", arguments: argparse.Namespace) -> None:
    permissions = parse_permissions(arguments.scopes)
    keys = context.records.api_keys
    print(keys.create(arguments.name, permissions, life_s=arguments.expires, who=context.who))


def _revoke(context: "CommandContext", arguments: argparse.Namespace) -> None:
    key = context.records.api_keys.revoke(arguments.id, who=context.who)
    print(f"revoked {key.id}: {key.name}")
