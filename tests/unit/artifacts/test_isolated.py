"""The child process that loads a pickled model with installed packages only, called in this process."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from artifacts.child import Reply
from artifacts.isolated import _loaded
from tests.support import tiny_models

# Pickles that name a class of a module, and create it.
OWN = b"cown_steps\nSteps\n(tR."
ABSENT = b"cabsent_package.models\nModel\n(tR."

STEPS = b"""class Steps:
    def predict(self, rows):
        import own_names
        return rows[own_names.FIRST]
"""


def load(folder: Path, pickled: bytes, sources: Mapping[str, bytes] | None = None, rows: Any = None) -> Reply:
    """Return the reply of the child to a model with these modules of its own."""
    file = folder / "model"
    file.write_bytes(pickle.dumps((dict(sources or {}), pickled, pickle.dumps(rows))))
    return _loaded({"file": str(file)})


def test_a_model_that_loads_is_reported_with_the_packages_that_it_names(tmp_path: Path) -> None:
    """The names are those of top-level modules, and joblib, which reads the pickle."""
    reply = load(tmp_path, tiny_models.make().pickled)

    assert {"joblib", "numpy", "sklearn"} <= set(reply["named"])
    assert reply == {"named": sorted(reply["named"])}
    assert not any("." in name for name in reply["named"])


def test_a_model_with_own_code_also_predicts(tmp_path: Path) -> None:
    """The modules that travel with it are found, also those that it imports as late as in a prediction."""
    reply = load(tmp_path, OWN, {"own_steps.py": STEPS, "own_names.py": b"FIRST = 0"}, rows=[1])

    assert reply == {"named": ["joblib", "own_steps"]}


def test_a_missing_package_spoils_the_child(tmp_path: Path) -> None:
    """The reply says what failed and why, and the child is not used again."""
    reply = load(tmp_path, ABSENT)

    assert reply["failed"] == "load the model (ModuleNotFoundError: No module named 'absent_package')"
    assert reply["spoiled"] is True


def test_a_failed_prediction_is_reported_with_the_line_of_own_code(tmp_path: Path) -> None:
    """The line is that of the publisher's module, whatever the module has called."""
    reply = load(tmp_path, OWN, {"own_steps.py": STEPS}, rows=[1])

    assert reply["failed"].startswith("predict with the model (ModuleNotFoundError: No module named 'own_names'")
    assert reply["failed"].endswith(", own_steps.py line 3)")


@pytest.mark.parametrize(("text", "printed"), [("two\nlines", "two lines"), ("x" * 600, "x" * 500)])
def test_the_reason_is_one_line_of_limited_length(tmp_path: Path, text: str, printed: str) -> None:
    """A model may raise an error with a text of any length and form."""
    source = f"def Steps():\n    raise ValueError({text!r})\n".encode()

    reply = load(tmp_path, OWN, {"own_steps.py": source})

    assert reply["failed"] == f"load the model (ValueError: {printed}, own_steps.py line 2)"
