"""python -m serve roles: administer named sets of scopes."""

import argparse
from typing import TYPE_CHECKING

from serve.auth.principals import parse_permissions, scope_of
from serve.cli.formatting import format_ended

if TYPE_CHECKING:
    from serve.cli.context import CommandContext


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands about roles."""
    parser = commands.add_parser("roles", help="administer roles, which are named sets of scopes")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="list all roles with their scopes").set_defaults(call=_list)
    for name, call, text in (
        ("add", _add, "add a role"),
        ("set", _set, "set the scopes of a role; users who lose a scope are logged out"),
        ("remove", _remove, "remove a role, also from all users who have it"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("name")
        if call is not _remove:
            action.add_argument("--scopes", required=True, help='separated by spaces, such as "predict batch"')
        action.set_defaults(call=call)


def _list(context: "CommandContext", _arguments: argparse.Namespace) -> None:
    from serve.auth.users import BUILT_IN

    for name, permissions in BUILT_IN.items():
        print(f"{name}  {scope_of(permissions)}  built in")
    for role in context.admin.roles():
        print(f"{role.name}  {role.scope}")


def _add(context: "CommandContext", arguments: argparse.Namespace) -> None:
    context.admin.add_role(arguments.name, parse_permissions(arguments.scopes))
    print(f"added {arguments.name}: {arguments.scopes}")


def _set(context: "CommandContext", arguments: argparse.Namespace) -> None:
    ended = context.admin.set_role(arguments.name, parse_permissions(arguments.scopes))
    print(f"set {arguments.name}: {arguments.scopes}{format_ended(ended)}")


def _remove(context: "CommandContext", arguments: argparse.Namespace) -> None:
    print(f"removed {arguments.name}{format_ended(context.admin.remove_role(arguments.name))}")
