"""The store from the command line."""

import os
import shutil
import subprocess
import sys
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from artifacts import Signature, Store
from artifacts.__main__ import main
from artifacts.manifest import Examples, Execution, Training
from tests.support import tiny_models
from tests.support.server import ROOT, environment, run
from tests.support.version_folders import Trap, put, seal, signer

FORMATS = ROOT / "tests" / "formats"
NO_EXAMPLES = Examples(instances=(), predictions=(), probabilities=None)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with two versions of one model, the first of them its champion."""
    store = Store(tmp_path)
    tiny_models.make().publish(store)
    tiny_models.make().publish(store, promote=False)
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


def test_show_prints_commands_that_work_there(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no clone the token is one of `serve token`, and the port is that of the settings."""
    monkeypatch.chdir(root)
    monkeypatch.setenv("SEPAL_PORT", "8123")

    assert call(root, "show", "tiny") == 0

    out = capsys.readouterr().out
    assert "serve token)\n  curl -s http://127.0.0.1:8123/api/v1/models/tiny/predict" in out
    assert "make" not in out


def test_show_knows_a_column_that_training_saw_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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
    """What is shown of the champion, had it promised this."""
    manifest = Store(root).manifest("tiny", 1).model_copy(update=promised)
    (root / "tiny" / "1" / "manifest.json").write_text(manifest.model_dump_json())
    assert call(root, "show", "tiny") == 0
    return capsys.readouterr().out.splitlines()


def test_show_tells_what_it_was_trained_on(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows, source and target of training, and the cells of a CSV that are nulls."""
    training = Training(rows=6, held_back=2, source="a garden", target="size")
    signature = tiny_models.signature().model_copy(update={"csv_nulls": ("NA", "-")})

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
    assert not [line for line in lines if line.startswith("try it")]


_EVIL = "\x1b[2J\x1b[31mEVIL\x1b[0m\r\nsigned by   key 0123\u202e\x9b1A"


@pytest.mark.parametrize(
    "promised",
    [
        {"requires": (_EVIL,)},
        {"execution": Execution(candidates=(), choice={1: _EVIL, 9: f"{_EVIL}2"})},
        {"estimator": _EVIL},
        {"model": _EVIL},
        {"libraries": {_EVIL: _EVIL, "python": _EVIL}},
        {"scores": {_EVIL: 1.0}},
        {"classes": (_EVIL, "long")},
        {"training": Training(rows=6, source=_EVIL, target=_EVIL)},
        {"files": {_EVIL: "0" * 64}},
        {"signature": tiny_models.signature().model_copy(update={"csv_nulls": (_EVIL,)})},
        {
            "signature": tiny_models.signature().model_copy(
                update={"columns": (tiny_models.column(_EVIL, "float64"), tiny_models.column("leaves", "int64"))}
            )
        },
        {
            "signature": {
                "container": "frame",
                "columns": [{**tiny_models.column("a", "int8").model_dump(), "dtype": _EVIL}],
            }
        },
        {"format": _EVIL},
        {"task": _EVIL},
        {"created_at": _EVIL},
        {_EVIL: 1},
    ],
    ids=lambda promised: ascii(next(iter(promised)))[:12],
)
def test_nothing_of_a_manifest_forges_a_line(
    root: Path, capsys: pytest.CaptureFixture[str], promised: dict[str, object]
) -> None:
    """Whoever wrote it, and whatever they call things, signed or not: no command prints what a terminal would obey."""
    folder = root / "tiny" / "1"
    manifest = Store(root).manifest("tiny", 1).model_copy(update=promised)
    with warnings.catch_warnings(action="ignore"):
        document = manifest.model_dump_json().encode()
    for write in ((folder / "manifest.json").write_bytes, partial(put, folder)):
        write(document)
        for command in (["list"], ["show", "tiny@1"], ["show", "tiny@1", "--card"], ["verify"], ["sign", "tiny@1"]):
            call(root, *command)

    told = "".join(capsys.readouterr())
    assert "EVIL" in told or "artifact-" in told
    assert not [line for line in told.split("\n") if not line.isprintable() or line.startswith("signed by   key 0123")]


def test_no_shell_is_handed_the_name_of_a_model(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is shown to be pasted asks for that model and does nothing else, though an unsigned manifest says so."""
    lines = show(root, capsys, model="x; touch y #$(z)")

    assert "/models/x%3B%20touch%20y%20%23%24%28z%29/predict" in "".join(lines)


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
    made = tiny_models.make().content
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
    made = tiny_models.make().content
    Store(tmp_path).publish("tiny", replace(made, card=(lambda _: b"") if lost else None), promote=True)
    (tmp_path / "tiny" / "1" / "card.html").unlink(missing_ok=True)

    assert call(tmp_path, "show", "tiny", "--card") == 1

    assert capsys.readouterr() == ("", "tiny version 1 has no model card\n")


def test_verify_loads_every_version(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a name, all versions are loaded, and each is said to be right."""
    assert call(root, "verify") == 0

    assert capsys.readouterr().out.splitlines() == [
        f"tiny@{version}  ok  signed by {signer().public.id}" for version in (1, 2)
    ]


def test_verify_goes_on_after_a_failure(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A damaged version is named with its error, the others are still looked at, and the exit code is 1."""
    (root / "tiny" / "1" / "model.joblib").write_bytes(b"")

    assert call(root, "verify") == 1

    bad, good = capsys.readouterr().out.splitlines()
    assert bad.startswith("tiny@1  FAILED  artifact-digest: model.joblib")
    assert good.startswith("tiny@2  ok")


def test_verify_one_version(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A named version is the only one that is loaded."""
    shutil.rmtree(root / "tiny" / "1")

    assert call(root, "verify", "tiny@2") == 0

    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("tiny@2  ok")


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

    assert (good.returncode, good.stdout.count("  ok  ")) == (0, 2)
    assert (bad.returncode, bad.stderr.strip()) == (1, "artifact-missing: the store has no model 'ghost'")


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


@pytest.mark.parametrize("spoil", ["model.joblib", "manifest.json", "manifest.sig"])
def test_what_a_server_would_not_load_is_not_promoted(
    root: Path, capsys: pytest.CaptureFixture[str], spoil: str
) -> None:
    """The version is loaded first: if that fails, the alias stays, and one line says why by its name."""
    (root / "tiny" / "2" / spoil).write_bytes(b"{}")

    assert call(root, "promote", "tiny@2") == 1

    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert err.startswith("artifact-digest: model" if spoil == "model.joblib" else "artifact-signature: ")
    assert Store(root).aliases("tiny") == {"champion": 1}
    assert len(Store(root).history("tiny")) == 3


def test_sign_vouches_for_a_version(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A version without a signature is refused by its name and shown with a warning, until somebody signs it."""
    (root / "tiny" / "1" / "manifest.sig").unlink()
    verdicts = [call(root, "verify", "tiny@1"), call(root, "show", "tiny@1")]
    refused = capsys.readouterr().out

    assert call(root, "sign", "tiny@1", "--by", "ada") == 0
    verdicts += [call(root, "verify", "tiny@1"), call(root, "show", "tiny@1")]

    shown = capsys.readouterr().out
    assert verdicts == [1, 0, 0, 0]
    assert "tiny@1  FAILED  artifact-untrusted: it is not signed" in refused
    assert "signed by   NO TRUSTED KEY" in refused
    assert f"tiny version 1 is signed by {signer().public.id}" in shown
    assert f"signed by   key {signer().public.id}" in shown


def test_sign_unpickles_nothing_and_demands_every_file(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A trap can be signed without being sprung, for whoever means to; a file that is not the listed one cannot."""
    trap = tiny_models.pickle(Trap(str(root / "sprung")))
    seal(root / "tiny" / "1", "model.joblib", trap)
    (root / "tiny" / "2" / "labels.json").write_bytes(b"[]")

    assert [call(root, "sign", "tiny@1"), call(root, "sign", "tiny@2")] == [0, 1]

    assert "artifact-digest: labels.json" in capsys.readouterr().err
    assert not (root / "sprung").exists()


def test_sign_does_not_vouch_for_another_version(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A copy of an older version is not made a newer one by a signature."""
    shutil.rmtree(root / "tiny" / "2")
    shutil.copytree(root / "tiny" / "1", root / "tiny" / "2")

    assert call(root, "sign", "tiny@2") == 1

    assert "artifact-rollback: " in capsys.readouterr().err


def test_history_has_a_line_a_deed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was done is told with who did it, without what a terminal would obey; a line cut short is told as such."""
    assert call(root, "promote", "tiny@2", "--by", "a\x1b[2Jda") == 0
    with (root / "tiny" / "history.jsonl").open("a") as file:
        file.write('{"at"')
    capsys.readouterr()

    assert call(root, "history", "tiny") == 0

    lines = capsys.readouterr().out.splitlines()
    assert ["published" in line for line in lines] == [True, False, True, False, False]
    assert "a\\u001b[2Jda  promoted   version 2" in lines[3]
    assert lines[3].endswith("champion: 1 to 2")
    assert lines[4] == "(incomplete line)"


def test_keygen_makes_a_key_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints the line that servers need; a second time it refuses, and the key stays what it was."""
    file = tmp_path / "keys" / "signing.key"
    first = call(tmp_path, "keygen", "--output", str(file))
    line = capsys.readouterr().out.splitlines()[-1]
    kept = file.read_bytes()

    second = call(tmp_path, "keygen", "--output", str(file))

    assert (first, second) == (0, 1)
    assert line == f"SEPAL_TRUSTED_KEYS={(tmp_path / 'keys' / 'signing.key.pub').read_text().strip()}"
    assert "never replaced" in capsys.readouterr().err
    assert file.read_bytes() == kept


def test_a_setting_that_cannot_be_is_named(root: Path) -> None:
    """A key that is none ends the command with one line, in which the key is not."""
    ended = run("artifacts", "verify", env=environment(artifacts=root, trusted_keys="ed25519:secret"))

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("SEPAL_TRUSTED_KEYS: invalid public key")
    assert len(ended.stderr.splitlines()) == 1
    assert "secret" not in ended.stderr


@pytest.mark.timeout(20)
def test_a_model_that_cannot_be_looked_into_hides_no_other(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A link in a model's place is a line of its own in every list, and a pipe for pointers hangs nobody."""
    (root / "linked").symlink_to("tiny")
    shutil.copytree(root / "tiny", root / "piped")
    (root / "piped" / "aliases.json").unlink()
    os.mkfifo(root / "piped" / "aliases.json")

    codes = [call(root, "list"), call(root, "verify")]

    out = capsys.readouterr().out
    assert codes == [0, 1]
    assert "linked  FAILED  artifact-path: 'linked' is a link" in out
    assert "piped@1  FAILED  artifact-rollback" in out
    assert out.count("unreadable: ") == 2
    assert "tiny@2  ok" in out


def test_delete_removes_a_version_that_no_alias_names(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is gone whole, the history says who did it, and its number is not given again."""
    assert call(root, "delete", "tiny@2", "--by", "ada") == 0

    event = Store(root).history("tiny")[-1]
    assert event is not None
    assert (event.event, event.version, event.by, event.key) == ("deleted", 2, "ada", signer().public.id)
    assert capsys.readouterr().out == "tiny version 2 is deleted\n"
    assert {path.name for path in (root / "tiny").iterdir()} == {"1", ".lock", "aliases.json", "history.jsonl"}
    assert call(root, "show", "tiny@2") == 1
    assert tiny_models.make().publish(Store(root)).version == 3


@pytest.mark.parametrize("reference", ["tiny", "tiny@1", "tiny@champion"])
def test_what_an_alias_names_is_not_deleted(root: Path, capsys: pytest.CaptureFixture[str], reference: str) -> None:
    """The alias is named, with the command that moves it, and nothing was done."""
    assert call(root, "delete", reference) == 1

    error = capsys.readouterr().err
    assert error.startswith("artifact-in-use: version 1 of model tiny is its champion: point the alias at another")
    assert Store(root).versions("tiny") == [1, 2]
    assert len(Store(root).history("tiny")) == 3


def test_unalias_removes_an_alias_and_keeps_its_version(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The history says where it pointed; the version can then be deleted."""
    assert call(root, "promote", "tiny@2", "--alias", "challenger") == 0
    capsys.readouterr()

    assert call(root, "unalias", "tiny", "challenger", "--by", "ada") == 0

    store = Store(root)
    event = store.history("tiny")[-1]
    assert event is not None
    assert (event.event, event.version, event.by, event.key) == ("unaliased", 2, "ada", signer().public.id)
    assert (event.alias, event.before, event.after) == ("challenger", 2, None)
    assert capsys.readouterr().out == "challenger of tiny is removed; it was version 2\n"
    assert (store.aliases("tiny"), store.versions("tiny")) == ({"champion": 1}, [1, 2])
    assert call(root, "history", "tiny") == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("  challenger: 2 to nothing")
    assert call(root, "delete", "tiny@2") == 0


def test_the_champion_is_removed_only_by_force(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With it, the last version of a model can be deleted; its number is not given again."""
    assert call(root, "unalias", "tiny", "champion") == 2
    assert "--force" in capsys.readouterr().err

    commands = [["unalias", "tiny", "champion", "--force"], ["delete", "tiny@1"], ["delete", "tiny@2"]]

    assert [call(root, *command) for command in commands] == [0, 0, 0]
    assert Store(root).models() == []
    assert tiny_models.make().publish(Store(root)).version == 3


def test_an_alias_that_is_not_there_is_not_removed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor is one of an unknown model."""
    assert [call(root, "unalias", "tiny", "shadow"), call(root, "unalias", "rose", "shadow")] == [1, 1]

    assert [line.split(":")[0] for line in capsys.readouterr().err.splitlines()] == ["artifact-missing"] * 2
    assert Store(root).aliases("tiny") == {"champion": 1}


def test_a_version_that_cannot_be_loaded_is_deleted_too(root: Path) -> None:
    """Whatever is wrong with it; and of a link only the link."""
    (root / "tiny" / "2" / "manifest.json").unlink()
    (root / "tiny" / "3").symlink_to("1")

    assert [call(root, "delete", "tiny@2"), call(root, "delete", "tiny@3")] == [0, 0]

    assert Store(root).versions("tiny") == [1]
    assert Store(root).load("tiny", 1).key
    assert tiny_models.make().publish(Store(root)).version == 4


@pytest.mark.parametrize("command", ["artifacts list", "artifacts --help", "train --help", "serve token"])
def test_a_reader_that_goes_away_is_no_failure(root: Path, command: str) -> None:
    """`| head` ends a command in silence."""
    reading, writing = os.pipe()
    os.close(reading)
    env = environment(artifacts=root, state=root.parent / "state")
    ended = subprocess.run(
        [sys.executable, "-m", *command.split()],
        check=False, cwd=ROOT, env=env, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=100,
    )  # fmt: skip
    os.close(writing)

    # argparse ignores what it cannot print.
    assert (ended.returncode in ({0, 141} if "--help" in command else {141}), ended.stderr) == (True, "")
