"""Whether a model loads, with its own code, in a process that has only installed packages; and what it needs there."""

import atexit
import pickle  # nosec B403  # hands the model to the process below; nothing is loaded here
import re
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import artifacts
from artifacts.child import Child, ChildEnded, ChildLate, ChildPool, Reply
from train.errors import NotPublishable
from train.import_search import installed_owners
from train.own_code import ADVICE, OwnModules

# `train` is never imported by a server, so nothing of it may be inside a model; `artifacts` and `serve` are there.
_START = """
import sys
from functools import cache
from importlib import abc, machinery
from pathlib import Path
class Packages(abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "train":
            raise ModuleNotFoundError("a server never imports train", name="train")
        if name in ("artifacts", "serve"):
            return machinery.PathFinder.find_spec(name, [sys.argv[1]])
sys.meta_path.insert(0, Packages())
# An editable install has put the project's folder on the path, with whatever else is there.
if Path(sys.argv[1], "pyproject.toml").is_file():
    sys.path[:] = [path for path in sys.path if Path(path).resolve() != Path(sys.argv[1])]
from artifacts.isolated import main
main()
"""


def load_elsewhere(
    pickled: bytes, own: OwnModules | None = None, rows: Any = None, *, timeout_s: float = 120
) -> tuple[str, ...]:
    """
    Load a pickled model in a fresh process that knows its own code and installed packages; return what it is made of.

    The process runs in an empty folder and ignores PYTHONPATH, so that no module is found because it lies there. It is
    used again for the next model: importing scikit-learn takes longer than loading most models.

    Args:
        pickled: What joblib wrote.
        own: The modules that travel with the model. With any, the process also predicts, for a function may import
            them as late as then.
        rows: The rows to predict, as the estimator takes them.
        timeout_s: How long it may take.

    Returns:
        `name==version` of each package, then the modules that are of no package.

    Raises:
        NotPublishable: It does not load there.
    """
    own = own or OwnModules()
    reply = _call(pickle.dumps((dict(own.sources), pickled, pickle.dumps(rows))), timeout_s)
    if "failed" in reply:
        raise NotPublishable(_refusal(reply["failed"]))
    owners = installed_owners()
    modules = (set(reply["named"]) - {path.partition("/")[0].removesuffix(".py") for path in own.sources}) | own.imports
    names = {owner for module in modules for owner in owners.get(module, ())}
    # A module of no package: a single file in site-packages, or one of an editable install that lists no modules.
    homeless = {module for module in modules if module not in owners and module not in sys.stdlib_module_names}
    return tuple([f"{name}=={version(name)}" for name in sorted(names, key=str.lower)] + sorted(homeless))


def _call(content: bytes, timeout_s: float) -> Reply:
    with TemporaryDirectory() as folder:
        file = Path(folder, "model")
        file.write_bytes(content)
        try:
            return _children().call({"file": str(file)}, time_s=timeout_s)
        except ChildLate as error:
            raise NotPublishable(f"a fresh process cannot load the model within {timeout_s:g} s") from error
        except ChildEnded as end:
            return {"failed": f"load the model ({end})"}


@cache
def _children() -> ChildPool:
    """Return the fresh processes of this process; one is used again as long as each model loads."""
    pool = ChildPool(_start_child)
    atexit.register(pool.close)
    return pool


def _start_child() -> Child:
    root = str(Path(artifacts.__file__).resolve().parents[1])
    return Child(lambda end: [sys.executable, "-E", "-P", "-c", _START, root, str(end)], in_empty_folder=True)


def _refusal(reason: str) -> str:
    """Return why a fresh process failed, with advice that fits its last line."""
    action = reason if reason.startswith(("load the model", "predict with")) else f"load the model ({reason})"
    return f"a fresh process cannot {action}: {_advice(reason)}"


def _advice(reason: str) -> str:
    missing = re.search(r"No module named '([^'.]+)", reason)
    if missing:
        return (
            f"if {missing[1]} is a package, install it, here and where the server runs; if it is a file of your own, "
            f'name it: code=["{missing[1]}.py"]'
        )
    if "never imports train" in reason:
        return f"a model must not use what is in train, nor import it. If it is code of your own, {ADVICE}"
    return f"its classes and functions must be found where the server runs. If they are code of your own, {ADVICE}"
