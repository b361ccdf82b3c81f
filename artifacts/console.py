"""The command `sepal`: `sepal train ...` runs `python -m train ...`, and so do `sepal artifacts` and `sepal serve`."""

import sys
from importlib import import_module

from artifacts.hints import did_you_mean
from artifacts.text import shorten

_PACKAGES = {
    "train": "train models and publish them",
    "artifacts": "list, check, promote and sign published versions",
    "serve": "serve predictions over HTTP; administer users and keys",
}


def main() -> int:
    """Run the package that the first argument names with the other arguments; 2 if it names none."""
    package, *arguments = sys.argv[1:] or [""]
    if package in {"-h", "--help"}:
        print(_usage())
        return 0
    if package not in _PACKAGES:
        if package:
            print(f"sepal: unknown command '{shorten(package)}'{did_you_mean(package, _PACKAGES)}", file=sys.stderr)
        print(_usage(), file=sys.stderr)
        return 2
    code: int = import_module(f"{package}.__main__").main(arguments, program=f"sepal {package}")
    return code


def _usage() -> str:
    lines = ["usage: sepal COMMAND ...; sepal COMMAND --help lists its arguments", ""]
    return "\n".join(lines + [f"  {name:<10}{purpose}" for name, purpose in _PACKAGES.items()])
