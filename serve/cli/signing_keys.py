"""python -m serve signing-keys: the keys in SEPAL_TOKEN_KEYS, which sign tokens; the database is not asked."""

import argparse
import sys
from pathlib import Path

from serve.settings import Settings


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The commands about keys that sign."""
    parser = commands.add_parser("signing-keys", help="the keys in SEPAL_TOKEN_KEYS, which sign tokens")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="every key, the one that signs first")
    add = actions.add_parser("add", help="make a key, which verifies but does not sign yet, and print its id")
    add.add_argument("argument", metavar="ALGORITHM", choices=("ES256", "RS256", "HS256"))
    use = actions.add_parser("use", help="sign with this key from now on; the former ones verify")
    retire = actions.add_parser("retire", help="take a key away; its tokens count no longer")
    for named in (use, retire):
        named.add_argument("argument", metavar="KID")


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Do what was asked; 2 if it cannot be, with one line that says why."""
    from serve.auth.rotation import Rotation

    if not settings.token_keys:
        print("SEPAL_TOKEN_KEYS is not set: it must name the file of the keys that sign tokens", file=sys.stderr)
        return 2
    rotation = Rotation(Path(settings.token_keys), secret=settings.secret_key.get_secret_value())
    try:
        rotation.run(arguments.action, getattr(arguments, "argument", ""))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0
