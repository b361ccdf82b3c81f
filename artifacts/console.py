"""The command `sepal`: `sepal train ...` runs `python -m train ...`, and so do `sepal artifacts` and `sepal serve`."""

import runpy
import sys

_PACKAGES = {
    "train": "make a model and publish it",
    "artifacts": "list, check, promote and sign what was published",
    "serve": "answer over HTTP; administer users and keys",
}


def main() -> int:
    """Run the package that the first argument names with the other arguments; 2 if it names none."""
    package, *arguments = sys.argv[1:] or [""]
    if package in {"-h", "--help"}:
        print(_usage())
        return 0
    if package not in _PACKAGES:
        print(_usage(), file=sys.stderr)
        return 2
    # The program's own name is what `python -m` would have put here.
    sys.argv = [package, *arguments]
    runpy.run_module(package, run_name="__main__", alter_sys=True)
    return 0


def _usage() -> str:
    lines = ["usage: sepal COMMAND ...; sepal COMMAND --help lists its arguments", ""]
    return "\n".join(lines + [f"  {name:<10}{purpose}" for name, purpose in _PACKAGES.items()])
