"""The store from the command line."""

import shutil
from pathlib import Path

import pytest

from artifacts import Store
from artifacts.__main__ import main
from tests import tiny
from tests.server import environment, run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with two versions of one model, the first of them its champion."""
    store = Store(tmp_path)
    tiny.make().publish(store)
    tiny.make().publish(store, promote=False)
    return tmp_path


def call(root: Path, *arguments: str) -> int:
    """Run one command on a store."""
    return main(["--store", str(root), *arguments])


def test_list_has_a_line_a_version(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every version of every model stands in the list, with its aliases and its estimator."""
    code = call(root, "list")

    header, *lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert header.split() == ["MODEL", "VERSION", "ALIASES", "PUBLISHED", "ESTIMATOR"]
    assert [line.split()[:2] for line in lines] == [["tiny", "1"], ["tiny", "2"]]
    assert ["champion" in line for line in lines] == [True, False]
    assert all(line.endswith("LogisticRegression()") for line in lines)


def test_an_empty_store_says_how_to_fill_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty list is no error, and names the command that makes a model."""
    assert call(tmp_path, "list") == 0

    assert "python -m train iris" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("reference", "title"),
    [
        ("tiny", "tiny version 1 (champion)"),
        ("tiny@1", "tiny version 1 (champion)"),
        ("tiny@champion", "tiny version 1 (champion)"),
        ("tiny@2", "tiny version 2"),
    ],
)
def test_show_tells_what_a_version_promises(
    root: Path, capsys: pytest.CaptureFixture[str], reference: str, title: str
) -> None:
    """The champion, a number or an alias is shown with its classes, columns and scores."""
    code = call(root, "show", reference)

    lines = capsys.readouterr().out.splitlines()
    assert (code, lines[0]) == (0, title)
    assert "task        classification: short, long" in lines
    assert "  length  float (float64), seen 1 to 9" in lines
    assert "  accuracy  1.0000" in lines


def test_show_knows_a_column_that_training_saw_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A column without a single value is shown as such."""
    signature = tiny.signature()
    nothing = {"nullable": True, "minimum": None, "maximum": None, "example": None}
    length = signature.columns[0].model_copy(update=nothing)
    tiny.make(signature=signature.model_copy(update={"columns": (length, signature.columns[1])})).publish(
        Store(tmp_path)
    )

    assert call(tmp_path, "show", "tiny") == 0

    assert "  length  float (float64, may be null), seen only null" in capsys.readouterr().out.splitlines()


def test_verify_loads_every_version(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a name, all versions are loaded, and each is said to be right."""
    assert call(root, "verify") == 0

    assert capsys.readouterr().out.splitlines() == ["tiny@1  ok", "tiny@2  ok"]


def test_verify_goes_on_after_a_failure(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A damaged version is named with its error, the others are still looked at, and the exit code is 1."""
    (root / "tiny" / "1" / "model.joblib").write_bytes(b"")

    assert call(root, "verify") == 1

    bad, good = capsys.readouterr().out.splitlines()
    assert bad.startswith("tiny@1  FAILED  ArtifactDigest: model.joblib")
    assert good == "tiny@2  ok"


def test_verify_one_version(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A named version is the only one that is loaded."""
    shutil.rmtree(root / "tiny" / "1")

    assert call(root, "verify", "tiny@2") == 0

    assert capsys.readouterr().out.splitlines() == ["tiny@2  ok"]


@pytest.mark.parametrize("reference", ["ghost", "tiny@3", "tiny@best", "Bad Name"])
@pytest.mark.parametrize("command", ["show", "verify"])
def test_an_unknown_version_is_an_error(
    root: Path, capsys: pytest.CaptureFixture[str], command: str, reference: str
) -> None:
    """What the store does not have is said on stderr in one line, with exit code 1."""
    assert call(root, command, reference) == 1

    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1


def test_the_store_is_that_of_the_environment(root: Path) -> None:
    """The command asks the store that SEPAL_ARTIFACTS names, and its exit code is the command's."""
    good = run("artifacts", "verify", env=environment(artifacts=root))
    bad = run("artifacts", "show", "ghost", env=environment(artifacts=root))

    assert (good.returncode, good.stdout.splitlines()) == (0, ["tiny@1  ok", "tiny@2  ok"])
    assert (bad.returncode, bad.stderr.strip()) == (1, "the store has no model 'ghost'")


def test_list_goes_on_after_a_manifest_that_cannot_be_read(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One broken manifest is a line of its own, and hides no other version."""
    (root / "tiny" / "1" / "manifest.json").write_text("{")

    assert call(root, "list") == 0

    _, broken, whole = capsys.readouterr().out.splitlines()
    assert "unreadable: manifest.json" in broken
    assert whole.endswith("LogisticRegression()")


@pytest.mark.parametrize("alias", ["champion", "fallback"])
def test_promote_points_an_alias_at_a_version(root: Path, capsys: pytest.CaptureFixture[str], alias: str) -> None:
    """A version that was not promoted can be, and a champion can be rolled back, from the shell."""
    assert call(root, "promote", "tiny@2", "--alias", alias) == 0

    assert Store(root).aliases("tiny")[alias] == 2
    assert f"{alias} of tiny is version 2" in capsys.readouterr().out
