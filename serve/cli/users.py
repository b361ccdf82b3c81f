"""python -m serve users: administer the users who may log in."""

import argparse
from typing import TYPE_CHECKING

from serve.auth.principals import parse_permissions
from serve.cli.formatting import format_ended, format_time, read_password

if TYPE_CHECKING:
    from serve.auth.users import User
    from serve.cli.context import CommandContext

_SCOPES = "predict batch models:read"


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands about users."""
    actions = commands.add_parser("users", help="administer users").add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="list all users").set_defaults(call=_list)
    for name, call, text in (
        ("add", _add, "add a user; prompts for the password, or reads it from standard input"),
        ("set", _set, "set the scopes or roles of a user, who is logged out if a scope is lost"),
        ("remove", _remove, "remove a user and end their sessions"),
        ("disable", _disable, "refuse logins of a user until enabled, and end their sessions"),
        ("enable", _enable, "accept logins of a disabled user again"),
        ("password", _password, "set a user's password and end their sessions; prompts, or reads standard input"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("name")
        action.set_defaults(call=call)
        if call in (_add, _set):
            default = f" (default: {_SCOPES}; none if --roles is given)" if call is _add else '; "" for none'
            action.add_argument("--scopes", help=f'separated by spaces, such as "predict batch"{default}')
            action.add_argument(
                "--roles", help='separated by spaces, such as "caller"; see: python -m serve roles list'
            )


def _list(context: "CommandContext", _arguments: argparse.Namespace) -> None:
    for user in context.admin.users():
        print(_line(user))


def _line(user: "User") -> str:
    parts = [user.name, user.scope or "-"]
    parts += [f"roles {user.roles}"] if user.roles else []
    parts += ["disabled"] if user.disabled else []
    return "  ".join([*parts, f"since {user.created_at:%Y-%m-%d}", f"last login {format_time(user.last_login_at)}"])


def _add(context: "CommandContext", arguments: argparse.Namespace) -> None:
    roles = (arguments.roles or "").split()
    scopes = arguments.scopes if arguments.scopes is not None else "" if roles else _SCOPES
    permissions = parse_permissions(scopes)
    context.admin.add(arguments.name, password_hash=_hashed(), permissions=permissions, roles=roles)
    print(f"added {arguments.name}: {' '.join([scopes, *roles]).strip()}")


def _set(context: "CommandContext", arguments: argparse.Namespace) -> None:
    if arguments.scopes is None and arguments.roles is None:
        raise ValueError("nothing to set: give --scopes, --roles, or both")
    permissions = None if arguments.scopes is None else parse_permissions(arguments.scopes)
    roles = None if arguments.roles is None else arguments.roles.split()
    ended = context.admin.set(arguments.name, permissions=permissions, roles=roles)
    print(f"set {arguments.name}{format_ended(ended)}")


def _remove(context: "CommandContext", arguments: argparse.Namespace) -> None:
    print(f"removed {arguments.name}{format_ended(context.admin.remove(arguments.name))}")


def _disable(context: "CommandContext", arguments: argparse.Namespace) -> None:
    print(f"disabled {arguments.name}{format_ended(context.admin.disable(arguments.name))}")


def _enable(context: "CommandContext", arguments: argparse.Namespace) -> None:
    context.admin.enable(arguments.name)
    print(f"enabled {arguments.name}")


def _password(context: "CommandContext", arguments: argparse.Namespace) -> None:
    ended = context.admin.set_password(arguments.name, _hashed())
    print(f"set the password of {arguments.name}{format_ended(ended)}")


def _hashed() -> str:
    from serve.auth.passwords import Passwords

    return Passwords().hash(read_password())
