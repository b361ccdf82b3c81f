"""The notebook of examples/, executed from top to bottom against the server that it starts."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.server import ROOT, environment, free_port, unmeasured
from tests.support.shell_session import copy_project

NOTEBOOK = ROOT / "examples" / "first_model.ipynb"
EXECUTE = """
import nbclient, nbformat
notebook = nbformat.read("first_model.ipynb", as_version=4)
nbclient.NotebookClient(notebook, timeout=200).execute()
nbformat.write(notebook, "executed.ipynb")
"""


@pytest.mark.timeout(300)
@unmeasured()
def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path) -> None:
    """The notebook trains, publishes, predicts over HTTP, and publishes version 2, which serves after a restart."""
    copy_project(tmp_path)
    examples = shutil.copytree(NOTEBOOK.parent, tmp_path / "examples")
    env = {**environment(signing_key="", trusted_keys="", port=free_port()), "PYTHONPATH": str(tmp_path)}

    ran = subprocess.run(
        [sys.executable, "-c", EXECUTE], cwd=examples, env=env, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stderr
    cells = json.loads((examples / "executed.ipynb").read_text())["cells"]
    printed = "".join("".join(output.get("text", "")) for cell in cells for output in cell.get("outputs", ()))
    for line in (
        "version 1 with wine_features.py",
        "version 1 answers 45 rows",
        "published version 2 while version 1 answers",
        "after the restart version 2 answers",
    ):
        assert line in printed


def test_the_notebook_has_no_outputs() -> None:
    """The notebook is committed without outputs and execution counts, which change with every run."""
    cells = json.loads(NOTEBOOK.read_text())["cells"]

    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
