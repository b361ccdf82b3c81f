"""A server whose store contains code of attackers, and clients who request paths as names of models."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from artifacts import Store
from artifacts.keys import Keys, generate, public_key_path
from artifacts.pointers import POINTERS
from artifacts.version_folder import MANIFEST, MODEL, PROGRAMS, SIGNATURE
from serve.dialects.native.limits import Limits
from serve.inference.loader import load_model
from tests.support import tiny_models
from tests.support.server import Api, Server, environment, run, slug, unmeasured, untraced
from tests.support.version_folders import Mute, Quitter, Trap, amend, put, seal, stranger
from train import publish
from train.recipes import iris

# Python runs this before the project's code: it records every file and folder that the process opens.
_NOTES = """
import os, sys
_notes = os.open(os.environ["TEST_NOTES"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def _note(event, arguments):
    if event in ("open", "os.listdir", "os.scandir", "shutil.copyfile"):
        os.write(_notes, f"{event} {arguments[0]!r}\\n".encode())
sys.addaudithook(_note)
"""


def _replay(folder: Path) -> None:
    """Replace the second version by the first one, its signature included."""
    shutil.copytree(folder.parent / "1", folder, dirs_exist_ok=True)


def _reseal(folder: Path) -> None:
    """Replace the model and its digest, as an attacker who can write to the store but not sign."""
    signed = (folder / SIGNATURE).read_bytes()
    seal(folder, MODEL, tiny_models.pickle(Trap(str(folder.parent.parent / "sprung"))))
    (folder / SIGNATURE).write_bytes(signed)


def _unsign(folder: Path) -> None:
    seal(folder, MODEL, tiny_models.pickle(Trap(str(folder.parent.parent / "sprung"))))
    (folder / SIGNATURE).unlink()


def _link(folder: Path) -> None:
    folder.rename(folder.parent / "kept")
    folder.symlink_to("kept")


def _drop(folder: Path) -> None:
    """Leave only the file of a model, without manifest and signature."""
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / MODEL).write_bytes(tiny_models.pickle(Trap(str(folder.parent.parent / "sprung"))))


def _pipe(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def _libraries(**versions: str) -> Callable[[Path], None]:
    return lambda folder: amend(folder, lambda manifest: manifest["libraries"].update(versions))


def _columns(change: Callable[[list[dict[str, Any]]], object]) -> Callable[[Path], None]:
    return lambda folder: amend(folder, lambda manifest: change(manifest["signature"]["columns"]))


def rename(folder: Path, model: str) -> None:
    """Make it a version of another model."""
    amend(folder, lambda manifest: manifest.update(model=model))


# Each model's name, what is done to its second version, and the error code that the server reports.
BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "dropped": (_drop, "artifact-untrusted"),
    "unsigned": (_unsign, "artifact-untrusted"),
    "stranger": (lambda folder: put(folder, (folder / MANIFEST).read_bytes(), by=stranger()), "artifact-untrusted"),
    "resealed": (_reseal, "artifact-signature"),
    "bit-of-manifest": (lambda folder: _flip(folder / MANIFEST), "artifact-signature"),
    "bit-of-signature": (lambda folder: _flip(folder / SIGNATURE), "artifact-signature"),
    "bit-of-model": (lambda folder: _flip(folder / MODEL), "artifact-digest"),
    "replayed": (_replay, "artifact-rollback"),
    "listed-path": (
        lambda folder: amend(folder, lambda known: known["files"].update({"../x": "0" * 64})),
        "artifact-path",
    ),
    "linked": (_link, "artifact-path"),
    "pipe": (lambda folder: _pipe(folder, MODEL), "artifact-path"),
    "pipe-of-manifest": (lambda folder: _pipe(folder, MANIFEST), "artifact-path"),
    "pipe-of-signature": (lambda folder: _pipe(folder, SIGNATURE), "artifact-path"),
    "added": (lambda folder: (folder / "x.cloudpickle").write_bytes(b"x"), "artifact-incomplete"),
    "empty": (lambda folder: seal(folder, MODEL, b""), "artifact-unloadable"),
    "truncated": (lambda folder: seal(folder, MODEL, (folder / MODEL).read_bytes()[:-9]), "artifact-unloadable"),
    "random": (lambda folder: seal(folder, MODEL, bytes(range(255, 0, -1)) * 9), "artifact-unloadable"),
    "csv": (lambda folder: seal(folder, MODEL, b"length,leaves\n1.0,2\n"), "artifact-unloadable"),
    "dict": (lambda folder: seal(folder, MODEL, tiny_models.pickle({"predict": 1})), "artifact-unloadable"),
    "quitter": (lambda folder: seal(folder, MODEL, tiny_models.pickle(Quitter())), "artifact-unloadable"),
    "mute": (lambda folder: seal(folder, MODEL, tiny_models.pickle(Mute())), "artifact-unloadable"),
    "other-minor": (_libraries(**{"scikit-learn": "1.2.2"}), "artifact-version"),
    "other-major": (_libraries(numpy="1.26.4"), "artifact-version"),
    "swapped": (_columns(lambda columns: columns.reverse()), "artifact-schema"),
    "doubled": (_columns(lambda columns: columns[1].update(name="length")), "artifact-schema"),
    "dtypeless": (_columns(lambda columns: columns[0].pop("dtype")), "artifact-schema"),
    "of-later": (lambda folder: amend(folder, lambda manifest: manifest.update(format=99)), "artifact-format"),
}


@dataclass(frozen=True)
class Hostile:
    """The server, its store, and the log of the files that it has opened."""

    api: Api
    root: Path
    notes: Path


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    """A valid model, and one model per attack, whose spoiled second version is its challenger."""
    folder = tmp_path_factory.mktemp("hostile")
    store = Store(folder / "store")
    tiny_models.make().publish(store, model="good")
    # Each is a copy that is signed under its own name, which is faster than to publish two versions of each.
    tiny_models.make().publish(store, model="good", promote=False)
    for model, (spoil, _) in BAD.items():
        shutil.copytree(store.root / "good", store.root / model)
        for version in ("1", "2"):
            rename(store.root / model / version, model)
        spoil(store.root / model / "2")
        (store.root / model / POINTERS).write_text('{"latest": 2, "aliases": {"champion": 1, "challenger": 2}}')
    shutil.copytree(store.root / "good", store.root / "pipe-of-pointers")
    _pipe(store.root / "pipe-of-pointers", POINTERS)
    (store.root / "link-of-model").symlink_to("good")
    (folder / "sitecustomize.py").write_text(_NOTES)
    env = environment(artifacts=store.root, state=folder / "state", expose="docs", log_format="json")
    env |= {"PYTHONPATH": str(folder), "TEST_NOTES": str(folder / "notes")}
    with unmeasured(), Server(env) as running:
        yield Hostile(Api(running, running.bearer()), store.root, folder / "notes")


def test_a_bad_version_does_not_affect_others(hostile: Hostile) -> None:
    """Whatever is wrong with a version, the server starts, and the other version of the model predicts."""
    for model in ("good", *BAD):
        answer = hostile.api.predict([[1.0, 2]], f"/api/v1/models/{model}/predict")
        assert (answer.status_code, answer.json().get("predictions")) == (200, ["short"]), model


@pytest.mark.parametrize("model", BAD)
def test_a_bad_version_is_reported_with_its_code(hostile: Hostile, model: str) -> None:
    """Callers who may read models see the error code, and the log and the audit have one line each."""
    code = BAD[model][1]
    shown = hostile.api.get(f"/api/v1/models/{model}").json()

    [missing] = shown["unavailable"]
    assert (missing["version"], missing["code"]) == (2, code)
    assert [version["version"] for version in shown["versions"]] == [1]
    assert str(hostile.root) not in json.dumps(shown)
    assert "Traceback" not in json.dumps(shown)
    line = hostile.api.server.line("model not loaded", f'"model": "{model}"')
    assert (line["version"], line["code"], line["level"]) == (2, code, "error")
    audit = hostile.api.server.line("artifact refused", f'"model": "{model}"')
    assert (audit["logger"], audit["version"], audit["code"]) == ("serve.audit", 2, code)


def test_a_bad_version_does_not_predict(hostile: Hostile) -> None:
    """A prediction request for a bad version is 503 without the reason."""
    for model, (_, code) in BAD.items():
        answer = hostile.api.predict([[1.0, 2]], f"/api/v1/models/{model}/predict", version="challenger")
        assert (answer.status_code, slug(answer)) == (503, "model-unavailable")
        assert code not in answer.text


def test_both_versions_of_a_library_are_named(hostile: Hostile) -> None:
    """Callers who may read models see the version of the library that fitted the model and the installed one."""
    [minor] = hostile.api.get("/api/v1/models/other-minor").json()["unavailable"]
    [major] = hostile.api.get("/api/v1/models/other-major").json()["unavailable"]

    assert "scikit-learn 1.2.2 fitted it, and 1." in minor["detail"]
    assert "numpy 1.26.4 fitted it, and 2." in major["detail"]


@pytest.mark.parametrize("model", ["empty", "truncated", "random", "csv", "dict", "mute"])
def test_a_model_that_cannot_be_loaded_is_reported_without_its_content(hostile: Hostile, model: str) -> None:
    """The detail has the name of the file and the class of the error, and nothing of the content."""
    [missing] = hostile.api.get(f"/api/v1/models/{model}").json()["unavailable"]

    assert missing["detail"].startswith(f"{MODEL} ")
    assert len(missing["detail"]) < 80


@pytest.mark.parametrize("model", ["pipe-of-pointers", "link-of-model"])
def test_an_unreadable_model_is_reported(hostile: Hostile, model: str) -> None:
    """With a pipe as aliases.json or a link as folder, no version is served, and the start does not hang."""
    shown = hostile.api.get(f"/api/v1/models/{model}").json()

    assert [(missing["version"], missing["code"]) for missing in shown["unavailable"]] == [(None, "artifact-path")]
    assert shown["versions"] == []


def test_no_code_of_a_bad_version_runs(hostile: Hostile) -> None:
    """No trap has made its folder, and in the store the process opened no path but the store itself."""
    opened = {line.split(" ", 1)[1].strip("'\"") for line in hostile.notes.read_text().splitlines()}

    assert not (hostile.root / "sprung").exists()
    assert MANIFEST in opened
    within = {path for path in opened if path.startswith(str(hostile.root))}
    assert within == {str(hostile.root)}


MODELS = [
    "..%2f..",
    "%2e%2e",
    "..",
    ".",
    "%00",
    "good%00",
    "a/b",
    "good/../good",
    "-rf",
    "x" * 300,
    "g%D0%BE%D0%BEd",
    "good%0A",
    "%0Agood",
    "GOOD",
    "good%20",
    ".staging-x",
    "~root",
    "C:%5Cgood",
    "good;x",
    "%252e%252e",
    "\\..",
    "*",
]
VERSIONS = [
    "latest/../1",
    "-1",
    "1e9",
    "0",
    "01",
    "+1",
    "1.0",
    " 1",
    "1\n",
    "²",
    "\u0661",
    "../1",
    "1\x00",
    "9" * 5000,
    "champion ",
]


BODY = b'{"instances": [[1.0, 2]]}'


def status(api: Api, target: str, body: bytes | None = None, kind: str = "application/json") -> int:
    """Return the status for exactly this target; other HTTP clients would resolve its dots."""
    connection = HTTPConnection("127.0.0.1", api.server.port, timeout=30)
    with closing(connection):
        headers = {**api.headers, "Content-Type": kind}
        connection.request("GET" if body is None else "POST", target, body, headers)
        return connection.getresponse().status


@pytest.mark.parametrize("path", ["", "/predict", "/predict/csv"])
def test_an_unknown_name_is_404_without_access_to_the_disk(hostile: Hostile, path: str) -> None:
    """Names of models and versions are looked up in memory: no file is opened and no folder is listed."""
    kind, body = ("text/csv", b"length,leaves\n1,2\n") if "csv" in path else ("application/json", BODY)

    def request(model: str, **params: str) -> int:
        target = f"/api/v1/models/{model}{path}" + (f"?{urlencode(params)}" if params else "")
        return status(hostile.api, target, body if path else None, kind)

    warm = request("unknown"), request("good", version="7")
    before = hostile.notes.read_bytes()
    models = {model: request(model) for model in MODELS}
    versions = {version: request("good", version=version) for version in VERSIONS if path and len(version) < 100}

    assert warm == (404, 404 if path else 200)
    assert set(models.values()) == {404}, models
    assert set(versions.values()) <= {404}, versions
    assert hostile.notes.read_bytes() == before


def test_an_unknown_name_adds_no_time_series(hostile: Hostile) -> None:
    """Only names of existing models are labels of metrics."""
    for model in MODELS:
        status(hostile.api, f"/api/v1/models/{model}/predict", BODY)

    text = hostile.api.get("/metrics").text

    assert 'model="good"' in text
    assert not any(quote(name) in text or name in text for name in ("x" * 300, "-rf", "GOOD", "staging"))


def test_a_version_of_other_libraries_may_be_loaded_with_a_warning(hostile: Hostile, tmp_path: Path) -> None:
    """With SEPAL_VERSIONS=warn the version predicts; the log has the difference, and a metric counts it."""
    env = environment(
        artifacts=hostile.root, state=tmp_path, versions="warn", log_format="json", expose="docs,metrics,values"
    )
    with unmeasured(), Server(env) as running:
        answers = [
            Api(running, running.bearer()).predict([[1.0, 2]], f"/api/v1/models/{model}/predict", version="challenger")
            for model in ("other-minor", "other-major")
        ]
        text = running.client.get("/metrics").text

        line = running.line("other libraries", '"other-minor"')

    assert [answer.status_code for answer in answers] == [200, 200]
    assert (line["level"], line["version"]) == ("warning", 2)
    assert "scikit-learn 1.2.2" in line["detail"]
    assert 'sepal_model_version_mismatches_total{model="other-minor"} 1.0' in text
    assert 'sepal_model_version_mismatches_total{model="good"}' not in text


@pytest.mark.parametrize("model", ["unsigned", "bit-of-model", "replayed", "mute", "other-minor", "doubled"])
def test_a_bad_version_is_not_promoted(hostile: Hostile, model: str) -> None:
    """`promote` loads it as a server would, prints the error in one line, and the champion stays."""
    env = environment(artifacts=hostile.root)

    ended = run("artifacts", "promote", f"{model}@2", env=env)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert [line.split(":")[0] for line in ended.stderr.splitlines()] == [BAD[model][1]]
    assert Store(hostile.root).resolve(model) == 1
    assert sys.executable not in ended.stderr


def test_a_damaged_key_is_reported_without_its_path(tmp_path: Path) -> None:
    """The reported failure has the code of an invalid key, but neither its path nor its file name."""
    file = tmp_path / "keys" / "signing.key"
    generate(file)
    store = Store(tmp_path / "store", keys=Keys((), file, is_own=True))
    tiny_models.make().publish(store)
    public_key_path(file).write_text("nonsense")
    limits = Limits()

    served = load_model(store, "tiny", limits)

    assert served.failures[1].code == "artifact-key"
    assert str(tmp_path) not in served.failures[1].detail
    assert "signing.key" not in served.failures[1].detail


def test_reversed_columns_are_refused_although_they_are_signed(tmp_path: Path) -> None:
    """Reversed columns of iris are refused although its program accepts columns in any order."""
    store = Store(tmp_path / "store")
    X, y = iris.RECIPE.load()
    with untraced():
        publish(iris.RECIPE.estimator().fit(X, y), X, y, name="iris", labels=iris.RECIPE.labels, store=store)
    assert PROGRAMS in store.manifest("iris", 1).files
    amend(store.root / "iris" / "1", lambda manifest: manifest["signature"]["columns"].reverse())
    env = environment(artifacts=store.root, state=tmp_path / "state", log_format="json")

    with Server(env) as running:
        api = Api(running, running.bearer())
        answer = api.predict([[5.1, 3.5, 1.4, 0.2]])
        [missing] = api.get("/api/v1/models/iris").json()["unavailable"]

    assert (answer.status_code, slug(answer)) == (503, "model-unavailable")
    assert missing["code"] == "artifact-schema"
