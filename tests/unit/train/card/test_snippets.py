"""The commands of a card call a real server, and names of columns cannot inject commands."""

import ast
import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from artifacts.version_folder import CARD
from tests.support.cards import Carded, Page, numbers
from tests.support.server import Api

NASTY = "it's $(touch pwned) `touch pwned` \"; touch pwned #\\"
CURL = '#!/bin/sh\nfor argument; do printf "%s\\0" "$argument"; done > arguments\n'


def nasty() -> Carded:
    """A model whose columns and categories would like to be commands."""
    frame = pd.DataFrame({NASTY: [f"{NASTY}\nCSV\ntouch pwned", "plain"] * 10, "amount": np.arange(20.0)})
    estimator = make_pipeline(OneHotEncoder(handle_unknown="ignore"), DecisionTreeClassifier())
    return Carded(estimator.fit(frame, [0, 1] * 10), frame[::2], [0] * 10)


def shell(command: str, folder: Path, **env: str) -> str:
    """Run what a reader would paste."""
    path = f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-ec", command], cwd=folder, env={"PATH": path, **env}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose curl writes down what it was called with."""
    curl = tmp_path / "curl"
    curl.write_text(CURL)
    curl.chmod(0o755)
    return tmp_path


def test_the_command_for_a_row_is_data_to_the_shell(folder: Path) -> None:
    """Quotes, backquotes and dollars of a column's name or value arrive in the body and start nothing."""
    _, _, command, *_ = nasty().page().code

    shell(command, folder, TOKEN="t")

    arguments = (folder / "arguments").read_text().split("\0")
    [row] = json.loads(arguments[arguments.index("-d") + 1])["instances"]
    assert row == {NASTY: f"{NASTY}\nCSV\ntouch pwned", "amount": 0.0}
    assert "Authorization: Bearer t" in arguments
    assert not (folder / "pwned").exists()


def test_the_command_for_a_csv_is_quoted(folder: Path) -> None:
    """The file that it writes has the header and the row, including line breaks."""
    *_, command, _ = nasty().page().code

    shell(command, folder, TOKEN="t")

    header, row = csv.reader(io.StringIO((folder / "rows.csv").read_text(), newline=""))
    assert header == [NASTY, "amount"]
    assert row == [f"{NASTY}\nCSV\ntouch pwned", "0.0"]
    assert not (folder / "pwned").exists()


def test_the_program_is_python() -> None:
    """The row in the program is the row of the command."""
    _, _, _, program, *_ = nasty().page().code

    [assignment] = [node for node in ast.parse(program).body if isinstance(node, ast.Assign)][:1]
    [row] = ast.literal_eval(assignment.value)
    assert row == {NASTY: f"{NASTY}\nCSV\ntouch pwned", "amount": 0.0}


def test_a_csv_with_control_characters_is_not_shown() -> None:
    """The CSV command is left out; JSON and Python have escapes for such characters."""
    frame = pd.DataFrame({"a\x1b[201~": np.arange(4.0), "b": np.arange(4.0)})

    code = Carded(LinearRegression().fit(frame, np.arange(4)), frame, np.arange(4)).page().code

    assert len(code) == 5
    assert "rows.csv" not in "".join(code)
    assert all("\x1b" not in text for text in code)


@pytest.mark.parametrize(
    ("estimator", "y", "said"),
    [
        (LogisticRegression(), ["no", "yes"] * 10, r"It returns (no|yes), with a probability of 0\.\d{3}\."),
        (DecisionTreeClassifier(), [False, True] * 10, r"It returns (false|true), with a probability of 1\.000\."),
        (LinearRegression(), np.arange(20.0), r"It returns -?[\d.]+\."),
    ],
    ids=["classifier", "booleans", "regressor"],
)
def test_the_prediction_is_shown(estimator: Any, y: Any, said: str) -> None:
    """The card shows the prediction that the commands return."""
    X = pd.DataFrame(numbers(20), columns=["a", "b", "c"])

    assert re.search(said, Carded(estimator.fit(X, y), X, y).page().text)


def test_a_wide_row_is_a_vector() -> None:
    """Rows of many columns are shown without their names."""
    X = pd.DataFrame(numbers(20, 40)).add_prefix("column_")

    _, _, command, _, table, _ = Carded(LinearRegression().fit(X, X["column_0"]), X, X["column_0"]).page().code

    assert "column_0" not in command
    assert "[[" in command
    assert "column_0,column_1" in table


def test_the_commands_of_a_card_work(api: Api, store: Path, tmp_path: Path) -> None:
    """The command, the program and the CSV of the iris card return what the card says."""
    page = Page((store / "iris" / "1" / CARD).read_bytes())
    here = f"http://127.0.0.1:{api.server.port}/"
    token = api.headers["Authorization"].removeprefix("Bearer ")
    _, _, command, program, table = (text.replace("http://127.0.0.1:8000/", here) for text in page.code[:5])
    output = page.text.partition("It returns ")[2].partition(",")[0]

    (tmp_path / "ask.py").write_text(program)

    assert json.loads(shell(command, tmp_path, TOKEN=token))["predictions"] == [output]
    assert shell("python ask.py", tmp_path, TOKEN=token).strip() == f"['{output}']"
    assert [row["prediction"] for row in csv.DictReader(io.StringIO(shell(table, tmp_path, TOKEN=token)))] == [output]
