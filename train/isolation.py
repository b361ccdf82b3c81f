"""Whether a model loads where nobody has heard of the code that made it, and what it needs there."""

import json
import subprocess  # nosec B404  # runs this very Python on the constant below
import sys
from importlib.metadata import packages_distributions, version

from train.errors import NotPublishable

# `train` is never imported by a server, so nothing of it may be inside a model.
_LOADER = """
import importlib.abc, io, json, sys
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "train":
            raise ModuleNotFoundError("a server never imports train")
sys.meta_path.insert(0, Refuse())
import joblib
from joblib.numpy_pickle import NumpyUnpickler
asked = {"joblib"}
class Recording(NumpyUnpickler):
    def find_class(self, module, name):
        asked.add(module.partition(".")[0])
        return super().find_class(module, name)
joblib.numpy_pickle.NumpyUnpickler = Recording
try:
    joblib.load(io.BytesIO(sys.stdin.buffer.read()))
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
print(json.dumps(sorted(asked)))
"""


def load_elsewhere(pickled: bytes, *, timeout_s: float = 120) -> tuple[str, ...]:
    """
    Load a pickled model in a fresh process, and say whose classes it is made of.

    Returns:
        `name==version` of each package, then the modules that are of no package.

    Raises:
        NotPublishable: It does not load there.
    """
    try:
        loaded = subprocess.run(  # nosec B603  # no shell, and nothing in the command is a caller's
            [sys.executable, "-c", _LOADER], input=pickled, capture_output=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NotPublishable(f"a fresh process cannot load the model within {timeout_s:g} s") from error
    if loaded.returncode != 0:
        reason = "".join(loaded.stderr.decode(errors="replace").strip().splitlines()[-1:])
        raise NotPublishable(
            f"a fresh process cannot load the model ({reason}): lambdas, and classes that are defined in a "
            "notebook, a script or a recipe, do not travel; move them to a package that the server installs"
        )
    owners = packages_distributions()
    # The last line is ours; the lines before it are what the model's packages print on import.
    modules = json.loads(loaded.stdout.splitlines()[-1])
    names = {owner for module in modules for owner in owners.get(module, ())}
    # A module of no package, such as one beside the Makefile: a server that runs there has it, and nobody else.
    homeless = {module for module in modules if module not in owners and module not in sys.stdlib_module_names}
    return tuple([f"{name}=={version(name)}" for name in sorted(names, key=str.lower)] + sorted(homeless))
