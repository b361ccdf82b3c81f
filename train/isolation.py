"""Whether a model loads, with its own code, in a process that has only installed packages; and what it needs there."""

import json
import pickle  # nosec B403  # hands the model to the process below; nothing is loaded here
import re
import subprocess  # nosec B404  # runs this very Python on the constant below
import sys
from importlib.metadata import packages_distributions, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from artifacts import own_code
from train.errors import NotPublishable
from train.own_code import ADVICE, OwnModules

# `train` is never imported by a server, so nothing of it may be inside a model; `artifacts` and `serve` are there.
# What the publisher sent is unpickled: this process runs on the same machine, with the same rights.
_LOADER = """
import sys
from importlib import abc, machinery, util
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
import json, pickle, traceback
spec = util.spec_from_file_location("own_code", sys.argv[2])
own_code = util.module_from_spec(spec)
spec.loader.exec_module(own_code)
import joblib
sources, pickled, rows = pickle.load(sys.stdin.buffer)
code = own_code.OwnCode(sources, of="model")
asked = {"joblib"}
def module_of(module):
    asked.add(module.partition(".")[0])
    return code.module_of(module)
doing = "load the model"
try:
    model = own_code.unpickle(pickled, module_of)
    if sources:
        doing = "predict with the model"
        model.predict(pickle.loads(rows))
except Exception as error:
    own = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith("<model>/")]
    where = f", {own[-1].filename[8:]} line {own[-1].lineno}" if own else ""
    text = " ".join(str(error).split())[:500]
    sys.exit(f"{doing} ({type(error).__name__}: {text}{where})")
print(json.dumps(sorted(asked)))
"""


def load_elsewhere(
    pickled: bytes, own: OwnModules | None = None, rows: Any = None, *, timeout_s: float = 120
) -> tuple[str, ...]:
    """
    Load a pickled model in a fresh process that knows its own code and installed packages; say what it is made of.

    The process runs in an empty folder and ignores PYTHONPATH, so that no module is found because it lies there.

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
    content = pickle.dumps((dict(own.sources), pickled, pickle.dumps(rows)))
    try:
        loaded = _run(content, timeout_s)
    except subprocess.TimeoutExpired as error:
        raise NotPublishable(f"a fresh process cannot load the model within {timeout_s:g} s") from error
    if loaded.returncode != 0:
        raise NotPublishable(_refusal("".join(loaded.stderr.decode(errors="replace").strip().splitlines()[-1:])))
    owners = packages_distributions()
    # The last line is ours; the lines before it are what the model's packages print on import.
    asked = set(json.loads(loaded.stdout.splitlines()[-1]))
    modules = (asked - {path.partition("/")[0].removesuffix(".py") for path in own.sources}) | own.imports
    names = {owner for module in modules for owner in owners.get(module, ())}
    # A module of no package: a single file in site-packages, or one of an editable install that does not tell its own.
    homeless = {module for module in modules if module not in owners and module not in sys.stdlib_module_names}
    return tuple([f"{name}=={version(name)}" for name in sorted(names, key=str.lower)] + sorted(homeless))


def _run(content: bytes, timeout_s: float) -> "subprocess.CompletedProcess[bytes]":
    root = Path(own_code.__file__).resolve().parents[1]
    with TemporaryDirectory() as empty:
        return subprocess.run(  # nosec B603  # no shell, and nothing in the command is a caller's
            [sys.executable, "-E", "-P", "-c", _LOADER, str(root), own_code.__file__],
            input=content,
            capture_output=True,
            cwd=empty,
            timeout=timeout_s,
            check=False,
        )


def _refusal(reason: str) -> str:
    """Return what is told of a process that failed, with the advice that its last line calls for."""
    told = reason if reason.startswith(("load the model", "predict with")) else f"load the model ({reason})"
    return f"a fresh process cannot {told}: {_advice(reason)}"


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
