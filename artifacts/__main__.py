"""The store from the command line: python -m artifacts list | show | verify | promote | sign | delete | ..."""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

from pydantic import ValidationError

from artifacts import commands
from artifacts.errors import ArtifactError
from artifacts.output import piped
from artifacts.pointers import CHAMPION
from artifacts.settings import ArtifactSettings, complaints
from artifacts.show import show
from artifacts.store import Store

_Command: TypeAlias = Callable[[Store, argparse.Namespace], int]
_VERSION = "MODEL, MODEL@VERSION or MODEL@ALIAS; without a version, its champion"


def main(argv: Sequence[str] | None = None, *, program: str = "python -m artifacts") -> int:
    """Run one command; return 0 on success, 1 for an error of an artifact, 2 for a wrong setting or argument."""
    return piped(partial(_main, argv, program))


def _main(argv: Sequence[str] | None, program: str) -> int:
    arguments = _parser(program).parse_args(argv)
    try:
        settings = ArtifactSettings()
    except ValidationError as error:
        print("\n".join(complaints(error)), file=sys.stderr)
        return 2
    try:
        code: int = arguments.run(Store.of(settings, root=arguments.store), arguments)
    except ArtifactError as error:
        print(f"{error.slug}: {error}", file=sys.stderr)
        return 1
    return code


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program, description="List, check and change the versions in the store.")
    parser.add_argument("--store", type=Path, default=None, help="folder of the store (default: SEPAL_ARTIFACTS)")
    parsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: _Command, text: str, model: str = "", *, by: bool = False) -> argparse.ArgumentParser:
        command = parsers.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        command.set_defaults(run=run)
        if model:
            command.add_argument("model", help=model)
        if by:
            command.add_argument("--by", default="", help="your name for the history (default: the system's user)")
        return command

    add("list", commands.list_versions, "list all versions of all models")
    card = add("show", show, "print what the manifest of a version says", _VERSION)
    card.add_argument("--card", action="store_true", help="print only the path of its model card")
    verify = add("verify", commands.verify, "load one version or all versions as a server would")
    verify.add_argument("model", nargs="?", help=f"{_VERSION} (default: all versions)")
    promote = add("promote", commands.promote, "point an alias at a version: promote or roll back", _VERSION, by=True)
    promote.add_argument("--alias", default=CHAMPION, help="which alias (default: %(default)s)")
    promote.add_argument("--force", action="store_true", help="promote although the version's key is new to the model")
    add(
        "sign",
        commands.sign,
        "sign a version that was published elsewhere or unsigned",
        _VERSION,
        by=True,
    )
    add("delete", commands.delete, "remove a version that no alias points to from the disk", _VERSION, by=True)
    unalias = add("unalias", commands.unalias, "remove an alias; its version stays", "MODEL", by=True)
    unalias.add_argument("alias", help="ALIAS")
    unalias.add_argument("--force", action="store_true", help="remove the champion, too, which servers load")
    add("history", commands.history, "list what was published, promoted, signed and deleted, by whom and when", "MODEL")
    keygen = add("keygen", commands.keygen, "make a key pair that signs versions; an existing key is not replaced")
    keygen.add_argument("--output", type=Path, help="file of the private key (default: SEPAL_SIGNING_KEY)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
