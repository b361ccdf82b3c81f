"""Which runtime of a published version predicts, and what is imported and unpickled for it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from artifacts import Store
from artifacts.description import executed
from artifacts.errors import ArtifactDigest, ArtifactIncomplete, ArtifactSchema
from artifacts.manifest import Execution
from artifacts.runtimes.program import Program, pack, unpack
from artifacts.runtimes.sklearn_runtime import SklearnRuntime
from artifacts.settings import Engine
from artifacts.version_folder import MANIFEST, MODEL, PROGRAMS
from tests.support.published import X, Y
from tests.support.server import untraced
from tests.support.version_folders import amend, put, seal
from train import publish

_LOAD = """
import json, sys
from pathlib import Path
from artifacts import Store
loaded = Store(Path(sys.argv[1]), engine=sys.argv[2]).load("line", 1)
answer = loaded.predict(loaded.manifest.signature.assemble(loaded.manifest.examples.instances))
imported = [name for name in ("sklearn", "pandas", "joblib") if name in sys.modules]
print(json.dumps({"imported": imported, "labels": answer.labels.tolist()}))
"""


_LOAD_TREES = """
import json, sys
from pathlib import Path
import numpy as np
from artifacts import Store
store = Store(Path(sys.argv[1]))
imported = {}
for name in ("forest", "histograms"):
    loaded = store.load(name, 1)
    table = loaded.manifest.signature.assemble(loaded.manifest.examples.instances)
    assert len(loaded.runtime.parts) == 2, loaded.runtime.parts
    imported[name] = [package for package in ("pandas", "pyarrow", "scipy.stats") if package in sys.modules]
    each_part = [part.predict(table, probabilities=True).probabilities for part in loaded.runtime.parts]
# From here on, scikit-learn is imported completely.
from sklearn.ensemble import RandomForestClassifier
from sklearn.utils.random import sample_without_replacement
drawn = sample_without_replacement(10, 10, random_state=0)
again = Store(Path(sys.argv[1]), engine="sklearn").load("histograms", 1).predict(table).probabilities
fitted = RandomForestClassifier(3, random_state=0).fit(np.eye(4), [0, 1, 0, 1]).predict(np.eye(4))
print(json.dumps({"imported": imported, "differences": [float(abs(again - each).max()) for each in each_part],
                  "drawn": sorted(drawn.tolist()), "fitted": len(fitted)}))
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two models of trees, a linear model, and a k-nearest-neighbours model, which has no program."""
    store = Store(tmp_path_factory.mktemp("store"))
    estimators: dict[str, Any] = {
        "line": LogisticRegression(),
        "forest": RandomForestClassifier(30, random_state=0),
        "histograms": HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=4, min_samples_leaf=5),
        "neighbours": KNeighborsClassifier(),
    }
    with pytest.MonkeyPatch.context() as patched:
        # Which program is fastest depends on the machine and its load; these tests need both forms of trees.
        patched.setattr("train.compile.compiling.choose", _both)
        with untraced():
            for name, estimator in estimators.items():
                publish(estimator.fit(X, Y), X, Y, name=name, store=store)
    return store


def _both(times: Mapping[str, Mapping[int, float]]) -> dict[int, str]:
    """Choose Treelite for few rows and trees for more; without Treelite, the last runtime that was measured."""
    return {1: "treelite", 64: "trees"} if "treelite" in times else {1: [*times][-1]}


@pytest.mark.parametrize(("engine", "imported"), [("auto", []), ("sklearn", ["sklearn", "pandas", "joblib"])])
def test_nothing_is_unpickled_if_a_program_predicts(store: Store, engine: str, imported: list[str]) -> None:
    """A fresh process that loads a version imports neither scikit-learn nor pandas, unless set to use the estimator."""
    ran = subprocess.run(
        [sys.executable, "-c", _LOAD, str(store.root), engine], capture_output=True, check=True, timeout=60
    )

    result = json.loads(ran.stdout)
    assert result["imported"] == imported
    assert result["labels"] == list(store.manifest("line", 1).examples.predictions)


def test_trees_predict_without_the_packages_of_scikit_learn(store: Store) -> None:
    """The packages that were not imported for the prediction can be imported later, and work."""
    ran = subprocess.run(
        [sys.executable, "-c", _LOAD_TREES, str(store.root)], capture_output=True, timeout=60, check=False
    )

    assert ran.returncode == 0, ran.stderr.decode()
    result = json.loads(ran.stdout)
    assert result["imported"] == {"forest": [], "histograms": []}
    assert max(result["differences"]) < 1e-9
    assert (result["drawn"], result["fitted"]) == (list(range(10)), 4)


def test_a_model_without_program_is_executed_by_the_estimator(store: Store) -> None:
    """Its version has no runtime.npz, and is loaded without one."""
    parts = store.load("neighbours", 1).runtime.parts

    assert [type(part) for part in parts] == [SklearnRuntime]
    assert PROGRAMS not in store.manifest("neighbours", 1).files


def test_every_runtime_predicts_the_examples(store: Store) -> None:
    """A forest has a program for few rows and one for many; both are tested when it is loaded."""
    loaded = store.load("forest", 1)
    table = loaded.manifest.signature.assemble(loaded.manifest.examples.instances)

    predictions = [part.predict(table, probabilities=True) for part in loaded.runtime.parts]
    assert all(isinstance(part, Program) for part in loaded.runtime.parts)
    assert all(np.array_equal(each.values, predictions[0].values) for each in predictions)


def test_a_changed_program_is_refused(store: Store, tmp_path: Path) -> None:
    """A threshold that is lower by one unit in the last place changes the digest."""
    folder = store.root / "forest" / "1"
    packed = (folder / PROGRAMS).read_bytes()
    programs = unpack(packed)
    nodes = programs["trees"].head.nodes
    nodes["threshold"][0] = np.nextafter(nodes["threshold"][0], -np.inf)
    try:
        (folder / PROGRAMS).write_bytes(pack(programs))

        with pytest.raises(ArtifactDigest, match=PROGRAMS):
            store.load("forest", 1)
    finally:
        (folder / PROGRAMS).write_bytes(packed)


def test_a_version_without_its_program_is_incomplete(store: Store, tmp_path: Path) -> None:
    """A manifest that chooses a program must list the file of programs."""
    folder = store.root / "line" / "1"
    sealed = (folder / MANIFEST).read_bytes()
    (folder / PROGRAMS).rename(tmp_path / PROGRAMS)
    try:
        amend(folder, lambda manifest: manifest["files"].pop(PROGRAMS))

        with pytest.raises(ArtifactIncomplete, match=f"missing: {PROGRAMS}"):
            store.load("line", 1)
    finally:
        put(folder, sealed)
        (tmp_path / PROGRAMS).rename(folder / PROGRAMS)


def _reverse(manifest: dict[str, Any], *, thoroughly: bool) -> None:
    manifest["signature"]["columns"].reverse()
    if thoroughly:
        manifest["reference"] = dict(reversed(manifest["reference"].items()))
        examples = manifest["examples"]
        examples["instances"] = [row[::-1] for row in examples["instances"]]


def _rename(manifest: dict[str, Any]) -> None:
    first, second = manifest["signature"]["columns"]
    first["name"], second["name"] = second["name"], first["name"]


def _drop(manifest: dict[str, Any]) -> None:
    manifest["signature"]["columns"].pop()
    manifest["examples"]["instances"] = [row[:1] for row in manifest["examples"]["instances"]]


@pytest.mark.parametrize("change", [
    partial(_reverse, thoroughly=False), partial(_reverse, thoroughly=True), _rename, _drop,
], ids=["reversed", "reversed thoroughly", "renamed", "dropped"])  # fmt: skip
@pytest.mark.parametrize("engine", ["auto", "sklearn"])
def test_columns_that_the_model_was_not_fitted_on_are_refused(
    store: Store, tmp_path: Path, change: Callable[[dict[str, Any]], None], engine: Engine
) -> None:
    """Changed columns are refused although the manifest is signed and no estimator is unpickled."""
    shutil.copytree(store.root / "line", tmp_path / "line")
    amend(tmp_path / "line" / "1", change)

    with pytest.raises(ArtifactSchema, match="fitted on"):
        Store(tmp_path, engine=engine).load("line", 1)


def test_a_program_of_an_older_release_is_loaded(store: Store, tmp_path: Path) -> None:
    """A program without column names is checked by the order of the reference distributions."""
    shutil.copytree(store.root / "line", tmp_path / "line")
    folder = tmp_path / "line" / "1"
    programs = unpack((folder / PROGRAMS).read_bytes())
    assert {program.columns for program in programs.values()} == {("length", "width")}
    seal(folder, PROGRAMS, pack({name: replace(program, columns=()) for name, program in programs.items()}))

    assert Store(tmp_path).load("line", 1).runtime.parts
    amend(folder, partial(_reverse, thoroughly=False))
    with pytest.raises(ArtifactSchema, match="in their order"):
        Store(tmp_path).load("line", 1)


def test_the_order_of_an_array_is_compared(tmp_path: Path) -> None:
    """A reversed order is refused also for an estimator that was fitted on an array and has no column names."""
    store = Store(tmp_path)
    estimator = KNeighborsClassifier().fit(X.to_numpy(), Y)
    with untraced():
        publish(estimator, X.to_numpy(), Y, name="near", columns=["length", "width"], compiled=False, store=store)
    amend(store.root / "near" / "1", partial(_reverse, thoroughly=False))

    with pytest.raises(ArtifactSchema, match="in their order"):
        store.load("near", 1)


def test_compiling_can_be_disabled(tmp_path: Path) -> None:
    """With compiled=False the manifest has no candidates."""
    store = Store(tmp_path)

    manifest = publish(LogisticRegression().fit(X, Y), X, Y, name="line", compiled=False, store=store)

    assert manifest.execution is None
    assert manifest.files.keys() >= {MODEL}
    assert PROGRAMS not in manifest.files


@pytest.mark.parametrize(
    ("choice", "description"),
    [
        ({1: "numpy", 64: "numpy", 1000: "numpy"}, "numpy"),
        ({1: "treelite", 64: "trees", 1000: "trees"}, "treelite for up to 8 rows, trees for more"),
        (
            {1: "numpy", 64: "trees", 1000: "sklearn"},
            "numpy for up to 8 rows, trees for up to 252 rows, sklearn for more",
        ),
        ({1: "sklearn"}, "sklearn"),
    ],
)
def test_the_execution_is_described(choice: dict[int, str], description: str) -> None:
    """The terminal and the card name the runtime of small calls, and that of larger ones if it differs."""
    assert executed(Execution(candidates=(), choice=choice)) == description
