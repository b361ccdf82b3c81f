"""The command line of training, and the way of one model through it."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from artifacts import CHAMPION, Store
from artifacts.pointers import POINTERS
from tests.support.server import ROOT, environment, run
from train import __main__
from train.__main__ import main
from train.errors import BelowThreshold
from train.experiments import of_recipe
from train.recipes import Recipe, all_recipes

IRIS = all_recipes()["iris"]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store that the environment names."""
    monkeypatch.setenv("SEPAL_ARTIFACTS", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CompletedProcess[str]]:
    """A store into which a user's command has put iris, and what the command said."""
    root = tmp_path_factory.mktemp("trained")
    return root, run("train", "iris", env=environment(artifacts=root))


def digest(root: Path, version: int) -> str:
    """The sha256 of one model.joblib, from the file itself."""
    return hashlib.sha256((root / "iris" / str(version) / "model.joblib").read_bytes()).hexdigest()


def test_the_command_publishes_a_champion(trained: tuple[Path, CompletedProcess[str]]) -> None:
    """Training iris leaves one version that loads and is the champion."""
    root, output = trained

    assert (output.returncode, output.stderr) == (0, "")
    assert Store(root).aliases("iris") == {CHAMPION: 1}
    assert Store(root).load("iris", 1).manifest.classes == ("setosa", "versicolor", "virginica")


def test_the_summary_goes_to_stdout(trained: tuple[Path, CompletedProcess[str]]) -> None:
    """Rows, a score a fold, the held-back scores, the confusion, and at last where the version lies."""
    root, output = trained

    lines = output.stdout.splitlines()
    assert lines[0] == "iris: 150 rows, 4 columns, 30 rows held back"
    assert sum("accuracy, fold" in line for line in lines) == 5
    assert all(word in output.stdout for word in ("balanced_accuracy, held back", "log_loss, held back", "virginica"))
    assert lines[-1].startswith(f"published iris version 1 in {root}, signed with key ")
    assert lines[-1].endswith("; live when the server is next started")


def test_the_scores_are_promised(trained: tuple[Path, CompletedProcess[str]]) -> None:
    """The manifest has the scores of the held-back rows and of the cross-validation."""
    scores = Store(trained[0]).manifest("iris", 1).scores

    assert list(scores) == [
        "accuracy",
        "balanced_accuracy",
        "f1_macro",
        "neg_log_loss",
        "cv_accuracy_mean",
        "cv_accuracy_std",
    ]
    assert 0.9 <= scores["accuracy"] <= 1
    assert 0.9 <= scores["cv_accuracy_mean"] <= 1


def test_the_same_training_gives_the_same_bytes(trained: tuple[Path, CompletedProcess[str]], tmp_path: Path) -> None:
    """Two trainings, in two processes, write one and the same model.joblib."""
    run("train", "iris", env=environment(artifacts=tmp_path))

    assert digest(tmp_path, 1) == digest(trained[0], 1)


def test_without_promotion_the_champion_stays(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--no-promote publishes a version that is not served yet; --folds sets the number of folds."""
    assert main(["iris", "--no-promote", "--folds", "2"]) == 0

    output = capsys.readouterr().out
    assert "; not promoted: python -m artifacts promote iris@1 makes it the champion" in output
    assert output.count("accuracy, fold") == 2
    assert Store(root).versions("iris") == [1]
    assert Store(root).aliases("iris") == {}


def test_if_empty_leaves_a_store_with_a_model_alone(
    trained: tuple[Path, CompletedProcess[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--if-empty prints nothing and does nothing if there is a model."""
    monkeypatch.setenv("SEPAL_ARTIFACTS", str(trained[0]))

    assert main(["iris", "--if-empty"]) == 0

    assert capsys.readouterr() == ("", "")
    assert Store(trained[0]).versions("iris") == [1]


def test_if_empty_fills_an_empty_store(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--if-empty trains where the folder does not exist or holds no version."""
    (root / "iris" / ".staging-cut").mkdir(parents=True)

    assert main(["iris", "--if-empty"]) == 0

    assert Store(root).aliases("iris") == {CHAMPION: 1}


@pytest.mark.parametrize(
    ("name", "measures", "nulls"),
    [
        ("breast_cancer", ["accuracy", "balanced_accuracy", "f1_macro", "neg_log_loss", "cv_accuracy"], ()),
        ("penguins", ["accuracy", "balanced_accuracy", "f1_macro", "neg_log_loss", "cv_accuracy"], ("NA",)),
        ("diabetes", ["r2", "neg_mean_absolute_error", "neg_root_mean_squared_error", "cv_r2"], ()),
    ],
)
def test_the_other_recipes_publish_too(
    root: Path, capsys: pytest.CaptureFixture[str], name: str, measures: list[str], nulls: tuple[str, ...]
) -> None:
    """Each is good enough for its own threshold; of a regression there are errors and no confusion."""
    assert main([name, "--folds", "2"]) == 0

    output = capsys.readouterr().out
    manifest = Store(root).manifest(name, 1)
    assert list(manifest.scores) == [*measures[:-1], f"{measures[-1]}_mean", f"{measures[-1]}_std"]
    assert ("Confusion" in output) == (manifest.task == "classification") == (name != "diabetes")
    assert output.count(f"{measures[0]}, fold") == 2
    assert manifest.signature.csv_nulls == nulls
    assert manifest.training is not None
    assert manifest.training.source == all_recipes()[name].source
    assert manifest.training.held_back > 60


def test_more_folds_than_rows_are_explained(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where a class has too few rows for the folds, the command ends with code 1 and says so."""
    assert main(["iris", "--folds", "41"]) == 1

    output = " ".join(capsys.readouterr().err.split())
    assert "not published: the rarest class (or the table) has 40 rows to learn from, too few for 41 folds" in output
    assert not root.exists()


@pytest.fixture
def demanding(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """A recipe that no model can satisfy, and the only one there is."""
    recipe = replace(IRIS, thresholds={"accuracy": 1.01})
    monkeypatch.setattr(__main__, "all_recipes", lambda: {recipe.name: recipe})
    return recipe


def test_below_its_threshold_nothing_is_published(demanding: Recipe, tmp_path: Path) -> None:
    """A model that is worse than its recipe demands leaves no trace in the store."""
    with pytest.raises(BelowThreshold, match=r"accuracy .* below the recipe's threshold of 1\.01"):
        __main__.run(of_recipe(demanding, folds=2), Store(tmp_path), promote=True)

    assert list(tmp_path.iterdir()) == []


def test_below_its_threshold_the_exit_code_is_1(
    demanding: Recipe, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command says what was reached and what was demanded, after the scores, and fails."""
    assert main(["iris", "--folds", "2"]) == 1

    output = capsys.readouterr()
    assert "accuracy, held back" in output.out
    assert "not published: accuracy on held-back rows is 0.9667" in output.err
    assert not root.exists()


def test_a_store_that_cannot_be_read_is_explained(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A damaged store stops the publication with code 1, not with a traceback."""
    (root / "iris").mkdir(parents=True)
    (root / "iris" / POINTERS).write_text("[")

    assert main(["iris", "--folds", "2"]) == 1

    assert f"not published: {POINTERS} of model iris cannot be read" in capsys.readouterr().err


def test_brackets_are_printed_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A store's path is text and no markup, whatever it is called."""
    store = Store(tmp_path / "[red]" / "[/]")

    __main__.run(of_recipe(IRIS, folds=2), store, promote=True)

    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"published iris version 1 in {store.root}, signed with key ")


def test_every_recipe_is_listed() -> None:
    """A file in train/recipes is a recipe of the command, under its own name."""
    files = {path.stem for path in (ROOT / "train" / "recipes").glob("[a-z]*.py")}

    assert set(all_recipes()) == files
    assert [recipe.name for recipe in all_recipes().values()] == list(all_recipes())


def test_iris_has_four_lengths_and_three_species() -> None:
    """The columns are named without their unit, and each species has fifty flowers."""
    X, y = IRIS.load()

    assert list(X.columns) == ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    assert y.value_counts().to_dict() == {0: 50, 1: 50, 2: 50}


def test_a_closed_pipe_does_not_stop_a_publication(tmp_path: Path) -> None:
    """With `| head -1` the model is published all the same, and the exit code is that of a success."""
    env = environment(artifacts=tmp_path / "store", state=tmp_path / "state")
    reading, writing = os.pipe()
    os.close(reading)

    ended = subprocess.run(
        [sys.executable, "-m", "train", "iris"],
        check=False, cwd=ROOT, env=env, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=100,
    )  # fmt: skip
    os.close(writing)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert Store(tmp_path / "store").versions("iris") == [1]
