"""The store from the command line."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from artifacts import Signature, Store
from artifacts.__main__ import main
from artifacts.manifest import Examples, Training
from tests import tiny
from tests.server import ROOT, environment, run

FORMATS = ROOT / "tests" / "formats"
NO_EXAMPLES = Examples(instances=(), predictions=(), probabilities=None)


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
    assert '  -d \'{"instances": [{"length": 0.5, "leaves": 1}]}\'' in lines
    assert any(line.startswith("  model.joblib  sha256 ") for line in lines)


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


def show(root: Path, capsys: pytest.CaptureFixture[str], **promised: object) -> list[str]:
    """What is shown of the champion, had it promised this."""
    manifest = Store(root).manifest("tiny", 1).model_copy(update=promised)
    (root / "tiny" / "1" / "manifest.json").write_text(manifest.model_dump_json())
    assert call(root, "show", "tiny") == 0
    return capsys.readouterr().out.splitlines()


def test_show_tells_what_it_was_trained_on(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows, source and target of training, and the cells of a CSV that are nulls."""
    training = Training(rows=6, held_back=2, source="a garden", target="size")
    signature = tiny.signature().model_copy(update={"csv_nulls": ("NA", "-")})

    lines = show(root, capsys, training=training, signature=signature)

    assert "learned     from 6 rows; 2 others were held back" in lines
    assert "source      a garden" in lines
    assert "target      size" in lines
    assert "csv nulls   an empty cell, NA, -" in lines


def test_show_passes_over_what_nobody_said(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of training without source or target, the rows alone are shown."""
    lines = show(root, capsys, training=Training(rows=6))

    assert "learned     from 6 rows; 0 others were held back" in lines
    assert not [line for line in lines if line.startswith(("source", "target", "csv nulls"))]


def test_show_lists_categories(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A category is shown by its values and their rows, without what a terminal would obey."""
    categories = [{"value": "red", "count": 4}, {"value": "\x1b[2J", "count": 2}]
    colour = {"name": "a\x07", "kind": "category", "dtype": "object", "nullable": True, "categories": categories}
    signature = Signature.model_validate({"container": "frame", "columns": [colour]})

    lines = show(root, capsys, signature=signature, examples=NO_EXAMPLES)

    assert "  a\\u0007  category (object, may be null), seen red 4, \\u001b[2J 2" in lines
    assert not [line for line in lines if line.startswith("ask it")]


def test_show_knows_regressors(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What predicts numbers has no classes."""
    lines = show(root, capsys, task="regression", classes=(), examples=NO_EXAMPLES)

    assert "task        regression" in lines


def test_show_knows_the_first_format(capsys: pytest.CaptureFixture[str]) -> None:
    """A version of which nobody noted how many rows it learned from is shown without."""
    assert call(FORMATS / "1", "show", "iris") == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "iris version 1 (champion)"
    assert not [line for line in lines if line.startswith(("learned", "card"))]


def test_show_says_where_the_card_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The path of the model card is shown, and with --card nothing else, for a browser to open."""
    made = tiny.make().content
    Store(tmp_path).publish("tiny", replace(made, card=lambda _: b"<html>"), promote=True)
    path = tmp_path / "tiny" / "1" / "card.html"

    assert call(tmp_path, "show", "tiny") == 0
    assert f"card        {path}" in capsys.readouterr().out.splitlines()
    assert call(tmp_path, "show", "tiny", "--card") == 0
    assert capsys.readouterr().out == f"{path}\n"


@pytest.mark.parametrize("lost", [False, True])
def test_a_version_without_a_card_is_an_error_to_those_who_want_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, lost: bool
) -> None:
    """Where there is no card, none is opened: one line on stderr, and exit code 1."""
    made = tiny.make().content
    Store(tmp_path).publish("tiny", replace(made, card=(lambda _: b"") if lost else None), promote=True)
    (tmp_path / "tiny" / "1" / "card.html").unlink(missing_ok=True)

    assert call(tmp_path, "show", "tiny", "--card") == 1

    assert capsys.readouterr() == ("", "tiny version 1 has no model card\n")


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
