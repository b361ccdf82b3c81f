"""python -m artifacts show prints what the manifest of a version says."""

from dataclasses import replace
from pathlib import Path

import pytest

from artifacts import Signature, Store
from artifacts.manifest import Examples, Training
from tests.support import tiny_models
from tests.support.server import ROOT
from tests.support.store_commands import call

FORMATS = ROOT / "tests" / "formats"


NO_EXAMPLES = Examples(instances=(), predictions=(), probabilities=None)


@pytest.mark.parametrize(
    ("reference", "title"),
    [
        ("tiny", "tiny version 1 (champion)"),
        ("tiny@1", "tiny version 1 (champion)"),
        ("tiny@champion", "tiny version 1 (champion)"),
        ("tiny@2", "tiny version 2"),
    ],
)
def test_show_prints_the_manifest(root: Path, capsys: pytest.CaptureFixture[str], reference: str, title: str) -> None:
    """The champion, a number or an alias is shown with its classes, columns and scores."""
    code = call(root, "show", reference)

    lines = capsys.readouterr().out.splitlines()
    assert (code, lines[0]) == (0, title)
    assert "task        classification: short, long" in lines
    assert "  length  float (float64), seen 1 to 9" in lines
    assert "  accuracy  1.0000" in lines
    assert '  -d \'{"instances": [{"length": 0.5, "leaves": 1}]}\'' in lines
    assert any(line.startswith("  model.joblib  sha256 ") for line in lines)


def test_show_prints_commands_for_this_machine(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside a clone the token comes from `serve token`, and the port from the settings."""
    monkeypatch.chdir(root)
    monkeypatch.setenv("SEPAL_PORT", "8123")

    assert call(root, "show", "tiny") == 0

    out = capsys.readouterr().out
    assert "serve token)\n  curl -s http://127.0.0.1:8123/api/v1/models/tiny/predict" in out
    assert "make" not in out


def test_show_prints_columns_that_were_empty_in_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A column without a single value is shown as such."""
    signature = tiny_models.signature()
    nothing = {"nullable": True, "minimum": None, "maximum": None, "example": None}
    length = signature.columns[0].model_copy(update=nothing)
    tiny_models.make(signature=signature.model_copy(update={"columns": (length, signature.columns[1])})).publish(
        Store(tmp_path)
    )

    assert call(tmp_path, "show", "tiny") == 0

    assert "  length  float (float64, may be null), seen only null" in capsys.readouterr().out.splitlines()


def show(root: Path, capsys: pytest.CaptureFixture[str], **promised: object) -> list[str]:
    """Return the lines that `show` prints for a version with these fields of its promise."""
    manifest = Store(root).manifest("tiny", 1).model_copy(update=promised)
    (root / "tiny" / "1" / "manifest.json").write_text(manifest.model_dump_json())
    assert call(root, "show", "tiny") == 0
    return capsys.readouterr().out.splitlines()


def test_show_prints_the_training_data(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows, source and target of training, and the CSV cells that mean null, are shown."""
    training = Training(rows=6, held_back=2, source="a garden", target="size")
    signature = tiny_models.signature().model_copy(update={"csv_nulls": ("NA", "-")})

    lines = show(root, capsys, training=training, signature=signature)

    assert "learned     from 6 rows; 2 others were held back" in lines
    assert "source      a garden" in lines
    assert "target      size" in lines
    assert "csv nulls   an empty cell, NA, -" in lines


def test_show_omits_unknown_training_data(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a source or a target only the number of rows is shown."""
    lines = show(root, capsys, training=Training(rows=6))

    assert "learned     from 6 rows; 0 others were held back" in lines
    assert not [line for line in lines if line.startswith(("source", "target", "csv nulls"))]


def test_show_lists_categories(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Categories are shown with their numbers of rows, and control characters are escaped."""
    categories = [{"value": "red", "count": 4}, {"value": "\x1b[2J", "count": 2}]
    colour = {"name": "a\x07", "kind": "category", "dtype": "object", "nullable": True, "categories": categories}
    signature = Signature.model_validate({"container": "frame", "columns": [colour]})

    lines = show(root, capsys, signature=signature, examples=NO_EXAMPLES)

    assert "  a\\u0007  category (object, may be null), seen red 4, \\u001b[2J 2" in lines
    assert not [line for line in lines if line.startswith("try it")]


def test_the_name_of_a_model_is_quoted_in_commands(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name from an unsigned manifest cannot run a command when the shown one is pasted."""
    lines = show(root, capsys, model="x; touch y #$(z)")

    assert "/models/x%3B%20touch%20y%20%23%24%28z%29/predict" in "".join(lines)


def test_show_prints_regressors(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A regressor has no classes."""
    lines = show(root, capsys, task="regression", classes=(), examples=NO_EXAMPLES)

    assert "task        regression" in lines


def test_show_prints_the_first_format(capsys: pytest.CaptureFixture[str]) -> None:
    """A version without the number of training rows is shown without it."""
    assert call(FORMATS / "1", "show", "iris") == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "iris version 1 (champion)"
    assert not [line for line in lines if line.startswith(("learned", "card"))]


def test_show_prints_the_path_of_the_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --card only the path is printed, for a browser to open."""
    made = tiny_models.make().content
    Store(tmp_path).publish("tiny", replace(made, card=lambda _: b"<html>"), promote=True)
    path = tmp_path / "tiny" / "1" / "card.html"

    assert call(tmp_path, "show", "tiny") == 0
    assert f"card        {path}" in capsys.readouterr().out.splitlines()
    assert call(tmp_path, "show", "tiny", "--card") == 0
    assert capsys.readouterr().out == f"{path}\n"


@pytest.mark.parametrize("lost", [False, True])
def test_a_missing_card_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str], *, lost: bool) -> None:
    """With --card, one line is printed on stderr, and the exit code is 1."""
    made = tiny_models.make().content
    Store(tmp_path).publish("tiny", replace(made, card=(lambda _: b"") if lost else None), promote=True)
    (tmp_path / "tiny" / "1" / "card.html").unlink(missing_ok=True)

    assert call(tmp_path, "show", "tiny", "--card") == 1

    assert capsys.readouterr() == ("", "tiny version 1 has no model card\n")
