"""A model that somebody brings in a file: python -m train --model FILE --sample ROWS --name NAME."""

import csv
import io
import pickle
import sys
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from unittest.mock import Mock

import joblib
import pytest
import sklearn
from sklearn.datasets import load_diabetes, load_iris
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline

from artifacts import Store
from tests.server import Api, Server, environment, run
from train.__main__ import main

IRIS = load_iris(as_frame=True)
FRAME = IRIS.data.round().assign(species=IRIS.target_names[IRIS.target])
DANGER = "warning: loading a model runs code that is in its file"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store that the environment names."""
    monkeypatch.setenv("SEPAL_ARTIFACTS", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def brought(tmp_path: Path) -> list[str]:
    """A model that learned from frames of floats, and a sample of whole numbers with its columns in another order."""
    model = LogisticRegression(max_iter=1000).fit(IRIS.data, FRAME["species"])
    joblib.dump(model, tmp_path / "model.joblib")
    FRAME.iloc[::3, ::-1].astype(dict.fromkeys(IRIS.data, int)).to_csv(tmp_path / "rows.csv", index=False)
    return ["--model", str(tmp_path / "model.joblib"), "--sample", str(tmp_path / "rows.csv"), "--name", "brought"]


class Payload:
    """A model's file that touches another one when it is loaded."""

    def __init__(self, sentinel: Path) -> None:
        self.sentinel = sentinel

    def __reduce__(self) -> Any:
        return Path.touch, (self.sentinel,)


def test_a_model_that_was_brought_is_served(tmp_path: Path, brought: list[str]) -> None:
    """Published by a user's command, it predicts fractions too, though its sample had none."""
    env = environment(artifacts=tmp_path / "store", state=tmp_path / "state", log_format="json")

    told = run("train", *brought, "--target", "species", "--yes", env=env)

    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith(DANGER)
    assert "Scores on the sample, from which it may have learned" in told.stdout
    with Server(env) as server:
        body = IRIS.data.to_csv(index=False).encode()
        answer = Api(server, server.bearer()).post_csv(body)
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    expected = joblib.load(tmp_path / "model.joblib").predict(IRIS.data).tolist()
    assert [row["prediction"] for row in rows] == expected


def test_the_scores_are_those_of_the_sample(root: Path, brought: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """With a target the sample is scored under names of its own, and the source says what the rows are."""
    assert main([*brought, "--target", "species", "--yes", "--no-promote"]) == 0

    manifest = Store(root).manifest("brought", 1)
    assert list(manifest.scores) == [
        "sample_accuracy",
        "sample_balanced_accuracy",
        "sample_f1_macro",
        "sample_neg_log_loss",
    ]
    assert manifest.training is not None
    assert manifest.training.source == "model.joblib, fitted elsewhere; the rows here are a sample, rows.csv"
    assert manifest.signature.names == list(IRIS.data)
    assert {column.dtype for column in manifest.signature.columns} == {"float64"}
    assert "; not promoted: python -m artifacts promote brought@1" in capsys.readouterr().out


def test_without_a_target_there_are_no_scores(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A regressor that was fitted on an array takes the columns of the file in their order."""
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    joblib.dump(Ridge().fit(X.to_numpy(), y), tmp_path / "ridge.joblib")
    X.head(20).to_csv(tmp_path / "rows.csv", index=False, sep="\t")

    arguments = ["--model", str(tmp_path / "ridge.joblib"), "--sample", str(tmp_path / "rows.csv"), "--name", "ridge"]
    assert main([*arguments, "--yes"]) == 0

    manifest = Store(root).manifest("ridge", 1)
    assert (manifest.task, manifest.scores, manifest.signature.container) == ("regression", {}, "array")
    assert manifest.signature.names == list(X)
    assert "Scores" not in capsys.readouterr().out


def test_a_model_of_texts_takes_its_column(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A vectorizer at the front gets the one column of texts; unknown words are its own affair."""
    reviews = ["a good film", "a bad film", "so good", "so bad"] * 5
    joblib.dump(make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(reviews, [1, 0] * 10), tmp_path / "m.pkl")
    (tmp_path / "rows.csv").write_text("review\n" + "\n".join(reviews))

    arguments = ["--model", str(tmp_path / "m.pkl"), "--sample", str(tmp_path / "rows.csv"), "--name", "reviews"]
    assert main([*arguments, "--yes"]) == 0

    signature = Store(root).manifest("reviews", 1).signature
    assert (signature.container, signature.names) == ("series", ["review"])


def test_nobody_loads_a_file_unasked(tmp_path: Path) -> None:
    """Without a terminal and without --yes the danger is told, the file is not loaded, and the exit code is 1."""
    (tmp_path / "model.joblib").write_bytes(pickle.dumps(Payload(tmp_path / "sentinel")))
    (tmp_path / "rows.csv").write_text("a\n1\n")
    arguments = ["--model", str(tmp_path / "model.joblib"), "--sample", str(tmp_path / "rows.csv"), "--name", "m"]

    told: CompletedProcess[str] = run("train", *arguments, env=environment(artifacts=tmp_path / "store"))

    assert told.returncode == 1
    assert told.stdout.startswith(DANGER)
    assert told.stderr == (
        "not published: nobody is at a terminal to agree that model.joblib is loaded: --yes agrees beforehand\n"
    )
    assert not (tmp_path / "sentinel").exists()
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(("answer", "code"), [("Yes", 0), ("n", 1), (EOFError, 1)])
def test_at_a_terminal_it_is_asked(
    root: Path,
    brought: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: object,
    code: int,
) -> None:
    """Only yes is yes; the end of the input is not."""
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", Mock(side_effect=[answer]))

    assert main(brought) == code

    assert ("not published: model.joblib was not loaded" in capsys.readouterr().err) == bool(code)
    assert root.exists() == (not code)


def test_another_scikit_learn_is_refused(root: Path, brought: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Both versions are named, with what to do."""
    path, here = Path(brought[1]), sklearn.__version__
    path.write_bytes(path.read_bytes().replace(here.encode(), b"0" * len(here)))

    assert main([*brought, "--yes"]) == 1

    told = capsys.readouterr().err
    assert f"fitted by scikit-learn {'0' * len(here)}, and here is {here}: fit it anew here" in told
    assert not root.exists()


def test_a_missing_file_is_told_before_any_danger(
    root: Path, brought: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither model nor sample are looked for after the question."""
    Path(brought[3]).unlink()
    assert main([*brought, "--yes"]) == 1
    assert "there is no file" in capsys.readouterr().err

    Path(brought[1]).unlink()
    assert main([*brought, "--yes"]) == 1

    told = capsys.readouterr()
    assert "model.joblib" in told.err
    assert told.out == ""
