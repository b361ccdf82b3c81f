"""python -m serve users: who may log in."""

import argparse
from typing import TYPE_CHECKING

from serve.cli.formatting import day, ended, read_password

if TYPE_CHECKING:
    from serve.auth.users import User
    from serve.cli.context import CommandContext

_SCOPES = "predict batch models:read"


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The commands about users."""
    parser = commands.add_parser("users", help="who may log in")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="every user, a line each").set_defaults(call=_list)
    add = actions.add_parser("add", help="add a user; the password is asked for, or read from standard input")
    add.set_defaults(call=_add)
    change = actions.add_parser("set", help="give a user other scopes or roles; whoever loses some, logs in again")
    change.set_defaults(call=_set)
    for action in (add, change):
        action.add_argument("name")
        action.add_argument("--roles", help='separated by blanks, such as "caller"; see: python -m serve roles list')
    add.add_argument("--scopes", help=f"separated by blanks (default: {_SCOPES}; with roles, none)")
    change.add_argument("--scopes", help='separated by blanks, such as "predict batch"; "" is none')
    for name, call, text in (
        ("remove", _remove, "take a user away"),
        ("disable", _disable, "let a user log in no more, until enabled"),
        ("enable", _enable, "let a user log in again"),
        ("password", _password, "set a user's password: asked for, or read from standard input"),
    ):
        action = actions.add_parser(name, help=f"{text}; {'their sessions end' if name != 'enable' else 'by password'}")
        action.add_argument("name")
        action.set_defaults(call=call)


def _list(office: "CommandContext", _arguments: argparse.Namespace) -> None:
    for user in office.users.all():
        print(_line(user))


def _line(user: "User") -> str:
    parts = [user.name, user.scope or "-"]
    parts += [f"roles {user.roles}"] if user.roles else []
    parts += ["disabled"] if user.disabled else []
    return "  ".join([*parts, f"since {user.created_at:%Y-%m-%d}", f"last login {day(user.last_login_at)}"])


def _add(office: "CommandContext", arguments: argparse.Namespace) -> None:
    from serve.auth.passwords import Passwords
    from serve.auth.users.scopes import parsed

    roles = (arguments.roles or "").split()
    text = arguments.scopes if arguments.scopes is not None else "" if roles else _SCOPES
    scopes = parsed(text)
    office.people.add(arguments.name, password_hash=Passwords().hash(read_password()), scopes=scopes, roles=roles)
    print(f"added {arguments.name}: {' '.join([text, *roles]).strip()}")


def _set(office: "CommandContext", arguments: argparse.Namespace) -> None:
    from serve.auth.users.scopes import parsed

    if arguments.scopes is None and arguments.roles is None:
        raise ValueError("nothing to set: --scopes, --roles, or both")
    lost = office.people.set(
        arguments.name,
        scopes=None if arguments.scopes is None else parsed(arguments.scopes),
        roles=None if arguments.roles is None else arguments.roles.split(),
    )
    print(f"set {arguments.name}{ended(lost)}")


def _remove(office: "CommandContext", arguments: argparse.Namespace) -> None:
    print(f"removed {arguments.name}{ended(office.people.remove(arguments.name))}")


def _disable(office: "CommandContext", arguments: argparse.Namespace) -> None:
    print(f"disabled {arguments.name}{ended(office.people.disable(arguments.name))}")


def _enable(office: "CommandContext", arguments: argparse.Namespace) -> None:
    office.people.enable(arguments.name)
    print(f"enabled {arguments.name}")


def _password(office: "CommandContext", arguments: argparse.Namespace) -> None:
    from serve.auth.passwords import Passwords

    lost = office.people.set_password(arguments.name, Passwords().hash(read_password()))
    print(f"set the password of {arguments.name}{ended(lost)}")
