"""The child process of `train.isolation`: loads a pickled model with the installed packages only."""

import pickle  # nosec B403  # reads what the parent wrote for this process
import sys
import traceback
from pathlib import Path
from typing import Any

from artifacts import own_code
from artifacts.child import Reply, answer_requests

_LONGEST_TEXT = 500


def main() -> None:
    """Load the models that the parent requests."""
    answer_requests(int(sys.argv[2]), _loaded)


def _loaded(request: dict[str, str]) -> Reply:
    """Return the top-level modules that the pickle in a file names, or why it does not load."""
    sources, pickled, rows = pickle.loads(Path(request["file"]).read_bytes())  # noqa: S301  # nosec B301  # as above
    code = own_code.OwnCode(sources, of="model")
    named = {"joblib"}

    def module_of(module: str) -> Any:
        named.add(module.partition(".")[0])
        return code.module_of(module)

    doing = "load the model"
    try:
        model: Any = own_code.unpickle(pickled, module_of)
        if sources:
            doing = "predict with the model"
            model.predict(pickle.loads(rows))  # noqa: S301  # nosec B301  # as above
    except Exception as error:  # noqa: BLE001  # what a model raises is the result
        text = " ".join(str(error).split())[:_LONGEST_TEXT]
        return {"failed": f"{doing} ({type(error).__name__}: {text}{_line(error)})", "spoiled": True}
    return {"named": sorted(named)}


def _line(error: Exception) -> str:
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith("<model>/")]
    return f", {own[-1].filename[8:]} line {own[-1].lineno}" if own else ""
