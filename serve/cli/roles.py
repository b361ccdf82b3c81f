"""python -m serve roles: sets of scopes that have a name."""

import argparse
from typing import TYPE_CHECKING

from serve.cli.formatting import ended

if TYPE_CHECKING:
    from serve.cli.context import CommandContext


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The commands about roles."""
    actions = commands.add_parser("roles", help="sets of scopes that have a name").add_subparsers(
        dest="action", required=True
    )
    actions.add_parser("list", help="every role and its scopes, a line each").set_defaults(call=_list)
    for name, call, text in (
        ("add", _add, "add a role"),
        ("set", _set, "give a role other scopes; whoever loses some, logs in again"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("name")
        action.add_argument("--scopes", required=True, help='separated by blanks, such as "predict batch"')
        action.set_defaults(call=call)
    remove = actions.add_parser("remove", help="take a role away, from everybody who has it")
    remove.add_argument("name")
    remove.set_defaults(call=_remove)


def _list(office: "CommandContext", _arguments: argparse.Namespace) -> None:
    from serve.auth.users import BUILT_IN
    from serve.auth.users.scopes import written

    for name, scopes in BUILT_IN.items():
        print(f"{name}  {written(scopes)}  built in")
    for role in office.people.roles():
        print(f"{role.name}  {role.scope}")


def _add(office: "CommandContext", arguments: argparse.Namespace) -> None:
    from serve.auth.users.scopes import parsed

    office.people.add_role(arguments.name, parsed(arguments.scopes))
    print(f"added {arguments.name}: {arguments.scopes}")


def _set(office: "CommandContext", arguments: argparse.Namespace) -> None:
    from serve.auth.users.scopes import parsed

    lost = office.people.set_role(arguments.name, parsed(arguments.scopes))
    print(f"set {arguments.name}: {arguments.scopes}{ended(lost)}")


def _remove(office: "CommandContext", arguments: argparse.Namespace) -> None:
    print(f"removed {arguments.name}{ended(office.people.remove_role(arguments.name))}")
