"""The command of a child process that runs one of our modules with this process's import path."""

import json
import sys

_CODE = "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); from {module} import main; sys.exit(main())"


def command(module: str, *arguments: object) -> list[str]:
    """Return the command that calls `main` of a module; the child imports what this process would import."""
    return [sys.executable, "-c", _CODE.format(module=module), json.dumps(sys.path), *map(str, arguments)]
