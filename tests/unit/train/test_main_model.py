"""A model from a file: python -m train --model FILE --sample ROWS --name NAME."""

import csv
import io
import pickle
import re
import subprocess
import sys
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from unittest.mock import Mock

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from artifacts import Store
from tests.support.cards import Page
from tests.support.server import Api, Server, environment, run
from train.__main__ import main

IRIS = load_iris(as_frame=True)
FRAME = IRIS.data.round().assign(species=IRIS.target_names[IRIS.target])
FEATURES = "def clean(X):\n    import lengths\n    return X * lengths.FACTOR\n"
OWN = """
import joblib, sys
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from petals import clean
X, y = load_iris(return_X_y=True, as_frame=True)
joblib.dump(make_pipeline(FunctionTransformer(clean), LogisticRegression(max_iter=1000)).fit(X, y), "model.joblib")
X[::5].to_csv("rows.csv", index=False)
def clean(X):
    return X
joblib.dump(make_pipeline(FunctionTransformer(clean), LogisticRegression(max_iter=1000)).fit(X, y), "main.joblib")
"""
LOAD_WARNING = "warning: loading a model runs code from its file"


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


def test_a_model_from_a_file_is_served(tmp_path: Path, brought: list[str]) -> None:
    """Published by the command, it predicts fractions too, though its sample has none."""
    env = environment(artifacts=tmp_path / "store", state=tmp_path / "state", log_format="json")

    output = run("train", *brought, "--target", "species", "--yes", env=env)

    assert (output.returncode, output.stderr) == (0, "")
    assert output.stdout.startswith(LOAD_WARNING)
    assert "Scores on the sample, which the model may have been fitted on" in output.stdout
    with Server(env) as server:
        body = IRIS.data.to_csv(index=False).encode()
        answer = Api(server, server.bearer()).post_csv(body)
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    expected = joblib.load(tmp_path / "model.joblib").predict(IRIS.data).tolist()
    assert [row["prediction"] for row in rows] == expected


def test_the_scores_are_those_of_the_sample(root: Path, brought: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """With a target the sample is scored under separate names, and the source says what the rows are."""
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
    printed = capsys.readouterr().out
    assert "; not promoted: python -m artifacts promote brought@1" in printed
    assert "curl" not in printed, "no server would answer it"


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


def test_a_model_of_texts_gets_its_column(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A vectorizer gets the one column of texts, and handles unknown words itself."""
    reviews = ["a good film", "a bad film", "so good", "so bad"] * 5
    joblib.dump(make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(reviews, [1, 0] * 10), tmp_path / "m.pkl")
    (tmp_path / "rows.csv").write_text("review\n" + "\n".join(reviews))

    arguments = ["--model", str(tmp_path / "m.pkl"), "--sample", str(tmp_path / "rows.csv"), "--name", "reviews"]
    assert main([*arguments, "--yes"]) == 0

    signature = Store(root).manifest("reviews", 1).signature
    assert (signature.container, signature.names) == ("series", ["review"])


def test_a_file_is_not_loaded_without_confirmation(tmp_path: Path) -> None:
    """Without a terminal and without --yes a warning is printed, the file is not loaded, and the exit code is 1."""
    (tmp_path / "model.joblib").write_bytes(pickle.dumps(Payload(tmp_path / "sentinel")))
    (tmp_path / "rows.csv").write_text("a\n1\n")
    arguments = ["--model", str(tmp_path / "model.joblib"), "--sample", str(tmp_path / "rows.csv"), "--name", "m"]

    output: CompletedProcess[str] = run("train", *arguments, env=environment(artifacts=tmp_path / "store"))

    assert output.returncode == 1
    assert output.stdout.startswith(LOAD_WARNING)
    assert output.stderr == (
        "not published: loading model.joblib must be confirmed, and there is no terminal: confirm it with --yes\n"
    )
    assert not (tmp_path / "sentinel").exists()
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(("answer", "code"), [("Yes", 0), ("n", 1), (EOFError, 1)])
def test_at_a_terminal_the_command_asks(
    root: Path,
    brought: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: object,
    code: int,
) -> None:
    """Only yes confirms; the end of the input does not."""
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

    output = capsys.readouterr().err
    assert (
        f"fitted by scikit-learn {'0' * len(here)}, and the installed version is {here}: fit it again with this one"
        in output
    )
    assert not root.exists()


def test_a_missing_file_is_reported_before_the_question(
    root: Path, brought: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Model and sample are looked for before the question."""
    Path(brought[3]).unlink()
    assert main([*brought, "--yes"]) == 1
    assert "there is no file" in capsys.readouterr().err

    Path(brought[1]).unlink()
    assert main([*brought, "--yes"]) == 1

    output = capsys.readouterr()
    assert "model.joblib" in output.err
    assert output.out == ""


def test_facts_from_a_sample_are_marked(tmp_path: Path) -> None:
    """With a sample of 50 of 1,500 rows, card, `show`, OpenAPI and errors speak of the sample, not of training."""
    draw = np.random.default_rng(0)
    table = pd.DataFrame({"age": draw.integers(0, 100, 1_500) * 1.0, "town": draw.choice(["Rome", "Bonn"], 1_500)})
    table.loc[:1, "age"] = [11.0, 70.0]
    table["late"] = table["age"] > 50
    coded = ColumnTransformer([("town", OneHotEncoder(handle_unknown="ignore"), ["town"])], remainder="passthrough")
    model = make_pipeline(coded, LogisticRegression(max_iter=1000)).fit(table[["age", "town"]], table["late"])
    joblib.dump(model, tmp_path / "model.joblib")
    table[table["age"].between(11, 70)].head(50).to_csv(tmp_path / "rows.csv", index=False)
    env = environment(artifacts=tmp_path / "store", state=tmp_path / "state", log_format="json")
    arguments = ["--model", str(tmp_path / "model.joblib"), "--sample", str(tmp_path / "rows.csv"), "--name", "late"]

    output = run("train", *arguments, "--target", "late", "--unknown", "refuse", "--yes", env=env)
    shown = run("artifacts", "show", "late", env=env).stdout
    page = Page((tmp_path / "store" / "late" / "1" / "card.html").read_bytes()).text
    with Server(env) as server:
        api = Api(server, server.bearer())
        schema = server.client.get("/openapi.json").text
        null = api.predict([[None, "Rome"]]).json()["errors"][0]["message"]
        other = api.predict([[30.0, "Oslo"]]).json()["errors"][0]["message"]
        columns = api.get("/api/v1/models/late").json()["versions"][0]["columns"]

    assert (output.returncode, output.stderr) == (0, "")
    assert "learned     from an unknown number of rows; columns are described by a sample of 50 rows" in shown
    assert "age   float (float64), in the sample 11 to 70" in shown
    assert "Fitted onnot known Described bya sample of 50 rows" in page
    assert "A number outside the range that the sample has is predicted like any other" in page
    assert "The model was fitted elsewhere, and whether rows were held back is not known" in page
    assert '"description":"The sample that it was published with has 11 to 70."' in schema
    assert null.startswith("expected a value: the sample that it was published with has no null here")
    assert other.startswith("expected one of the categories that the sample that it was published with has: Bonn, Rome")
    assert [column["sampled"] for column in columns] == [True, True]
    for text in (shown, page, schema, null, other):
        found = re.search(r"(?i)training (saw|did not see)|trained on|others were held back|, seen", text)
        assert not found, text[max(0, found.start() - 300) : found.end() + 100]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with models that use the publisher's own function, its module, and a sample."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "petals.py").write_text(FEATURES)
    (folder / "lengths.py").write_text("FACTOR = 2\n")
    made = subprocess.run([sys.executable, "-c", OWN], cwd=folder, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return folder


@pytest.mark.parametrize(
    ("model", "code", "advice"),
    [
        ("model.joblib", None, "needs the module 'petals': install its package, .*: --code petals.py"),
        ("model.joblib", "gone.py", "code: .*gone.py does not exist; name .py files"),
        (
            "main.joblib",
            "petals.py",
            r"uses code from the notebook or script .* \(.*'clean'.*: --code features",
        ),
    ],
    ids=["not named", "not there", "of a script"],
)
def test_a_model_without_its_code_is_refused(
    root: Path, own: Path, capsys: pytest.CaptureFixture[str], model: str, code: str | None, advice: str
) -> None:
    """The message names the module, or the file, and what to do."""
    arguments = ["--model", str(own / model), "--sample", str(own / "rows.csv"), "--name", "own", "--yes"]

    assert main([*arguments, *(["--code", str(own / code)] if code else [])]) == 1

    assert re.search(advice, capsys.readouterr().err)
    assert Store(root).models() == []


def test_code_is_named_on_the_command_line(root: Path, own: Path) -> None:
    """A model that was fitted elsewhere brings its module, and what that imports, by --code."""
    arguments = ["--model", str(own / "model.joblib"), "--sample", str(own / "rows.csv"), "--name", "own", "--yes"]

    output = run("train", *arguments, "--code", str(own / "petals.py"), env=environment(artifacts=root))

    assert (output.returncode, output.stderr) == (0, "")
    assert Store(root).manifest("own", 1).code == ("petals.py", "lengths.py")
    verified = run("artifacts", "verify", env=environment(artifacts=root))
    assert verified.stdout.startswith("own@1  ok")
