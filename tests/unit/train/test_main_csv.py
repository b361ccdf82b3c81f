"""Any table, without code: python -m train --csv FILE --target COLUMN."""

import csv
import io
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes

from artifacts import Store
from tests.support.server import Api, Server, environment, run
from train.__main__ import main

PENGUINS = files("palmerpenguins") / "data" / "penguins.csv"
CHANCE = np.random.default_rng(0)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store that the environment names."""
    monkeypatch.setenv("SEPAL_ARTIFACTS", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store into which a user's command has put the penguins, their CSV as it is."""
    root = tmp_path_factory.mktemp("penguins")
    output = run("train", "--csv", str(PENGUINS), "--target", "species", env=environment(artifacts=root))
    (root.parent / f"{root.name}.txt").write_text(output.stdout)
    assert (output.returncode, output.stderr) == (0, "")
    return root


@pytest.fixture(scope="module")
def api(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server for it."""
    env = environment(artifacts=store, state=tmp_path_factory.mktemp("state"), log_format="json")
    with Server(env) as server:
        yield Api(server, server.bearer())


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command that fails says, on stderr, in one line."""
    assert main(list(arguments)) == 1
    output = " ".join(capsys.readouterr().err.split())
    assert output.startswith("not published: ")
    return output


def test_the_command_prints_what_it_found(store: Path) -> None:
    """The task, the nulls, a score per fold, the version, and a command to try."""
    lines = (store.parent / f"{store.name}.txt").read_text().splitlines()

    assert lines[:3] == [
        "penguins: 344 rows, 7 columns, 69 rows held back",
        "  classification: 'species' holds 3 distinct texts",
        "  read as null, here and by the server: an empty cell, 'NA'",
    ]
    assert sum("accuracy, fold" in line for line in lines) == 5
    assert lines[-3].startswith("published penguins version 1 in ")
    assert lines[-1].endswith(f"-F file=@{PENGUINS}")


def test_the_version_promises_what_was_found(store: Path) -> None:
    """The nulls of the file, the columns by kind, held-back scores that are good, and where the rows are from."""
    manifest = Store(store).manifest("penguins", 1)

    assert manifest.signature.csv_nulls == ("NA",)
    assert {column.name: column.kind for column in manifest.signature.columns} == {
        "island": "category",
        "bill_length_mm": "float",
        "bill_depth_mm": "float",
        "flipper_length_mm": "float",
        "body_mass_g": "float",
        "sex": "category",
        "year": "integer",
    }
    assert manifest.scores["accuracy"] > 0.95
    assert manifest.scores["cv_accuracy_mean"] > 0.97
    assert manifest.training is not None
    assert (manifest.training.source, manifest.training.target) == ("penguins.csv", "species")


def test_the_server_reads_the_same_file(api: Api) -> None:
    """Every row of the very file is predicted, its NA read as null, and nearly all are right."""
    answer = api.post_csv(PENGUINS.read_bytes())

    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert (answer.status_code, len(rows)) == (200, 344)
    assert {row["error"] for row in rows} == {""}
    assert np.mean([row["species"] == row["prediction"] for row in rows]) > 0.97


@pytest.fixture
def misleading(tmp_path: Path) -> Path:
    """A table, separated by semicolons, with everything that can be wrong with one and still be learned from."""
    rows = 90
    noise = CHANCE.normal(size=rows)
    sold = ["no", "yes"] * (rows // 2)
    sold[:3] = ["", "perhaps", "perhaps"]
    table = {
        "invoice": [f"R-{row}" for row in range(rows)],
        "day": [f"2026-{1 + row % 12:02}-{1 + row % 28:02}" for row in range(rows)],
        "currency": "EUR",
        "empty": "",
        "visits": [str(row % 9) if row % 30 else "?" for row in range(rows)],
        "state": ["paid" if answer == "yes" else "open" for answer in sold],
        "note": [f"call {'back' if row % 3 else 'again'} about {row}" if row % 7 else "" for row in range(rows)],
        "size": np.where(np.array(sold) == "yes", noise, noise + 1).round(3),
        "new": [["true", "false", ""][row % 3] for row in range(rows)],
        "sold": sold,
    }
    path = tmp_path / "Sales 2026.csv"
    pd.DataFrame(table).to_csv(path, index=False, sep=";", encoding="utf-8-sig")
    return path


def test_warnings_are_printed_before_fitting(root: Path, misleading: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each has advice; callers need not send what is left out."""
    assert main(["--csv", str(misleading), "--target", "sold", "--folds", "2", "--no-promote", "--no-examples"]) == 0

    output = capsys.readouterr().out
    warnings = [line.removeprefix("warning: ").split(" (")[0] for line in output.splitlines() if "warning: " in line]
    assert warnings == [
        "rows without 'sold' are left out: 1 of 90",
        "class 'perhaps' is left out: with 2 of 89 rows it is too rare to fit and to evaluate on",
        "column 'invoice' identifies rows, as an id does, and is left out",
        "column 'day' holds dates, and is left out",
        "column 'currency' is always 'EUR', and is left out",
        "column 'empty' has no value at all, and is left out",
        "column 'visits' is text, and would be numbers without '?' in 3 rows, first on line 2",
        "column 'state' alone predicts 'sold' with a score of 1.0000",
    ]
    for advice in ("--keep invoice", "--time-column day", "callers need not send it", "--null '?'", "--drop state"):
        assert f"{advice})\n" in output
    assert output.index("warning") < output.index("fold 1") < output.index("published sales-2026 version 1 in ")
    assert "; not promoted: " in output
    assert "curl" not in output, "no server would answer it"
    columns = Store(root).manifest("sales-2026", 1).signature.columns
    assert [(column.name, column.kind) for column in columns] == [
        ("visits", "category"),
        ("state", "category"),
        ("note", "text"),
        ("size", "float"),
        ("new", "boolean"),
    ]
    assert columns[2].example == "some text"


def test_options_override_what_is_detected(root: Path, misleading: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names, nulls, columns to drop and to keep, the order in time, and unknown categories."""
    options = "--name sales --nulls ? --drop state note --drop new --keep invoice --time-column day --unknown pass"

    assert main(["--csv", str(misleading), "--target", "sold", "--folds", "2", *options.split()]) == 0

    manifest = Store(root).manifest("sales", 1)
    assert [column.name for column in manifest.signature.columns] == ["invoice", "visits", "size"]
    assert [column.kind for column in manifest.signature.columns] == ["text", "float", "float"]
    assert manifest.signature.csv_nulls == ("?",)
    assert "warning: column 'invoice'" not in capsys.readouterr().out


def test_numbers_are_predicted(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Many distinct numbers are a regression, scored by R²; with --task classification they are refused."""
    load_diabetes(as_frame=True, scaled=False).frame.to_csv(tmp_path / "diabetes.csv")
    arguments = ["--csv", str(tmp_path / "diabetes.csv"), "--target", "target", "--folds", "2"]

    assert main(arguments) == 0
    output = capsys.readouterr().out
    assert "  regression: 'target' holds 214 distinct integers" in output.splitlines()
    assert "warning: column 'Unnamed: 0' has no name" in output
    assert Store(root).manifest("diabetes", 1).scores["r2"] > 0.2

    assert "too few to hold back one row of each of 62 classes" in refused(
        capsys, *arguments, "--task", "classification"
    )


@pytest.mark.parametrize(
    ("target", "more", "reason"),
    [
        ("knid", [], "rows.csv has no column 'knid'; it has size, kind. Did you mean 'kind'?"),
        ("kind", ["--drop", "sizes"], "has no column 'sizes'; it has size, kind. Did you mean 'size'?"),
        ("kind", ["--time-column", "kind"], "column 'kind' holds neither dates nor numbers"),
        ("kind", ["--drop", "size"], "no column is left to predict the target from"),
        ("kind", ["--name", "No Name"], "invalid name 'No Name'"),
        ("kind", ["--task", "regression"], "'kind' holds 'a', and regression predicts numbers"),
    ],
)
def test_a_refusal_is_explained(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str, more: list[str], reason: str
) -> None:
    """The command ends with code 1 and the reason on stderr; nothing is published."""
    (tmp_path / "rows.csv").write_text("size,kind\n" + "1,a\n2,b\n" * 20)

    assert reason in refused(capsys, "--csv", str(tmp_path / "rows.csv"), "--target", target, *more)
    assert not root.exists()


def test_a_broken_file_is_reported_in_one_line(tmp_path: Path) -> None:
    """A file that is not a CSV ends the command with code 1."""
    (tmp_path / "rows.csv").write_text("size,kind\n1,a\n2\n")

    output = run("train", "--csv", str(tmp_path / "rows.csv"), "--target", "kind", env=environment(artifacts=tmp_path))

    assert (output.returncode, output.stdout) == (1, "")
    assert output.stderr == (
        "not published: rows.csv has 1 cells on line 3, and its header has 2: add the missing cells, or quote cells "
        "that contain the delimiter\n"
    )
