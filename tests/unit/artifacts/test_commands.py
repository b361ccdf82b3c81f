"""The commands of python -m artifacts list, check and change a store."""

import os
import shutil
from pathlib import Path

import pytest

from artifacts import Store
from tests.support import tiny_models
from tests.support.store_commands import call
from tests.support.version_folders import Trap, seal, signer


def test_list_has_one_line_per_version(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every version of every model is listed, with its aliases and its estimator."""
    code = call(root, "list")

    header, *lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert header.split() == ["MODEL", "VERSION", "ALIASES", "PUBLISHED", "ESTIMATOR"]
    assert [line.split()[:2] for line in lines] == [["tiny", "1"], ["tiny", "2"]]
    assert ["champion" in line for line in lines] == [True, False]
    assert all(line.endswith("LogisticRegression()") for line in lines)


def test_list_of_an_empty_store_names_the_training_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty store is not an error."""
    assert call(tmp_path, "list") == 0

    assert "python -m train iris" in capsys.readouterr().out


def test_verify_loads_every_version(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a name, all versions are loaded, and each is reported as ok."""
    assert call(root, "verify") == 0

    assert capsys.readouterr().out.splitlines() == [
        f"tiny@{version}  ok  signed by {signer().public.id}" for version in (1, 2)
    ]


def test_verify_continues_after_a_failure(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A damaged version is reported with its error, the others are tried, and the exit code is 1."""
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


def test_list_continues_after_an_invalid_manifest(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An invalid manifest has a line of its own, and hides no other version."""
    (root / "tiny" / "1" / "manifest.json").write_text("{")

    assert call(root, "list") == 0

    _, broken, whole = capsys.readouterr().out.splitlines()
    assert "unreadable: manifest.json" in broken
    assert whole.endswith("LogisticRegression()")


@pytest.mark.parametrize("alias", ["champion", "fallback"])
def test_promote_points_an_alias_at_a_version(root: Path, capsys: pytest.CaptureFixture[str], alias: str) -> None:
    """Any version can be promoted, and a champion can be rolled back."""
    assert call(root, "promote", "tiny@2", "--alias", alias) == 0

    assert Store(root).aliases("tiny")[alias] == 2
    assert f"{alias} of tiny is version 2" in capsys.readouterr().out


@pytest.mark.parametrize("spoil", ["model.joblib", "manifest.json", "manifest.sig"])
def test_a_version_that_does_not_load_is_not_promoted(
    root: Path, capsys: pytest.CaptureFixture[str], spoil: str
) -> None:
    """The alias does not move, and one line has the error's code."""
    (root / "tiny" / "2" / spoil).write_bytes(b"{}")

    assert call(root, "promote", "tiny@2") == 1

    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert err.startswith("artifact-digest: model" if spoil == "model.joblib" else "artifact-signature: ")
    assert Store(root).aliases("tiny") == {"champion": 1}
    assert len(Store(root).history("tiny")) == 3


def test_sign_makes_a_version_trusted(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A version without a signature fails verification and is shown with a warning until it is signed."""
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


def test_sign_compares_files_and_unpickles_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pickle that runs code can be signed without running it; a changed file is refused."""
    trap = tiny_models.pickle(Trap(str(root / "sprung")))
    seal(root / "tiny" / "1", "model.joblib", trap)
    (root / "tiny" / "2" / "labels.json").write_bytes(b"[]")

    assert [call(root, "sign", "tiny@1"), call(root, "sign", "tiny@2")] == [0, 1]

    assert "artifact-digest: labels.json" in capsys.readouterr().err
    assert not (root / "sprung").exists()


def test_sign_refuses_a_copy_of_another_version(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A copy of an older version in the folder of a newer one is not signed."""
    shutil.rmtree(root / "tiny" / "2")
    shutil.copytree(root / "tiny" / "1", root / "tiny" / "2")

    assert call(root, "sign", "tiny@2") == 1

    assert "artifact-rollback: " in capsys.readouterr().err


def test_history_has_one_line_per_event(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each line says who did it, with control characters escaped; an incomplete line is marked."""
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
    """It prints the setting for servers; a second call fails, and the key is unchanged."""
    file = tmp_path / "keys" / "signing.key"
    first = call(tmp_path, "keygen", "--output", str(file))
    line = capsys.readouterr().out.splitlines()[-1]
    kept = file.read_bytes()

    second = call(tmp_path, "keygen", "--output", str(file))

    assert (first, second) == (0, 1)
    assert line == f"SEPAL_TRUSTED_KEYS={(tmp_path / 'keys' / 'signing.key.pub').read_text().strip()}"
    assert "never replaced" in capsys.readouterr().err
    assert file.read_bytes() == kept


@pytest.mark.timeout(20)
def test_an_unreadable_model_hides_no_other(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A link instead of a model, and a pipe instead of aliases.json, are reported without blocking."""
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


def test_delete_removes_a_version_without_alias(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder is gone, the history says who deleted it, and its number is not used again."""
    assert call(root, "delete", "tiny@2", "--by", "ada") == 0

    event = Store(root).history("tiny")[-1]
    assert event is not None
    assert (event.event, event.version, event.by, event.key) == ("deleted", 2, "ada", signer().public.id)
    assert capsys.readouterr().out == "tiny version 2 is deleted\n"
    assert {path.name for path in (root / "tiny").iterdir()} == {"1", ".lock", "aliases.json", "history.jsonl"}
    assert call(root, "show", "tiny@2") == 1
    assert tiny_models.make().publish(Store(root)).version == 3


@pytest.mark.parametrize("reference", ["tiny", "tiny@1", "tiny@champion"])
def test_delete_refuses_a_version_with_an_alias(root: Path, capsys: pytest.CaptureFixture[str], reference: str) -> None:
    """The error has the alias and the command that moves it, and nothing is changed."""
    assert call(root, "delete", reference) == 1

    error = capsys.readouterr().err
    assert error.startswith("artifact-in-use: version 1 of model tiny is its champion: point the alias at another")
    assert Store(root).versions("tiny") == [1, 2]
    assert len(Store(root).history("tiny")) == 3


def test_unalias_removes_an_alias_and_keeps_its_version(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The history says where the alias pointed; the version can then be deleted."""
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


def test_unalias_removes_the_champion_only_with_force(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --force, the last version of a model can be deleted; its number is not used again."""
    assert call(root, "unalias", "tiny", "champion") == 2
    assert "--force" in capsys.readouterr().err

    commands = [["unalias", "tiny", "champion", "--force"], ["delete", "tiny@1"], ["delete", "tiny@2"]]

    assert [call(root, *command) for command in commands] == [0, 0, 0]
    assert Store(root).models() == []
    assert tiny_models.make().publish(Store(root)).version == 3


def test_unalias_of_an_unknown_alias_is_an_error(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown model is an error, too."""
    assert [call(root, "unalias", "tiny", "shadow"), call(root, "unalias", "rose", "shadow")] == [1, 1]

    assert [line.split(":")[0] for line in capsys.readouterr().err.splitlines()] == ["artifact-missing"] * 2
    assert Store(root).aliases("tiny") == {"champion": 1}


def test_delete_removes_versions_that_cannot_be_loaded(root: Path) -> None:
    """Of a link, only the link is removed."""
    (root / "tiny" / "2" / "manifest.json").unlink()
    (root / "tiny" / "3").symlink_to("1")

    assert [call(root, "delete", "tiny@2"), call(root, "delete", "tiny@3")] == [0, 0]

    assert Store(root).versions("tiny") == [1]
    assert Store(root).load("tiny", 1).key
    assert tiny_models.make().publish(Store(root)).version == 4
