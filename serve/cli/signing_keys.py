"""python -m serve signing-keys: the keys in SEPAL_TOKEN_KEYS, which sign tokens; needs no database."""

import argparse
import sys
from pathlib import Path

from serve.settings import Settings


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands about signing keys."""
    parser = commands.add_parser("signing-keys", help="manage the keys in SEPAL_TOKEN_KEYS, which sign tokens")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="list all keys, the one that signs first")
    add = actions.add_parser("add", help="generate a key that verifies but does not sign yet, and print its id")
    add.add_argument("argument", metavar="ALGORITHM", choices=("ES256", "RS256", "HS256"))
    use = actions.add_parser("use", help="sign with this key from now on; the other keys verify")
    retire = actions.add_parser("retire", help="remove a key; its tokens become invalid")
    for named in (use, retire):
        named.add_argument("argument", metavar="KID")


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Run a command; return 2 if it fails, after printing the reason in one line."""
    if not settings.token_keys:
        print("SEPAL_TOKEN_KEYS is not set: it must name the file of the keys that sign tokens", file=sys.stderr)
        return 2
    secret = settings.secret_key.get_secret_value()
    try:
        _change(arguments.action, getattr(arguments, "argument", ""), Path(settings.token_keys), secret)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _change(action: str, argument: str, file: Path, secret: str) -> None:
    from serve.auth import signing_keys

    if action == "list":
        for place, key in enumerate(signing_keys.load(file)):
            print(f"{key.kid}  {key.alg}  {'verifies' if place else 'signs'}")
    elif action == "add":
        print(signing_keys.add_key(file, argument, secret=secret))
    elif action == "use":
        signing_keys.use_key(file, argument)
        print(f"{argument} signs")
    else:
        signing_keys.retire_key(file, argument)
        is_secret = argument in {key.kid for key in signing_keys.secret_of(secret)}
        print(
            f"removed {argument} from the file; it still verifies for as long as SEPAL_SECRET_KEY is set"
            if is_secret
            else f"removed {argument}; all of its tokens are invalid"
        )
