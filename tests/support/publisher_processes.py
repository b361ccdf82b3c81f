"""
Publishers in separate processes, concurrent or killed.

    python -m tests.support.publisher_processes race | kill | kill-train STORE

A program and not a fixture, because pytest's process has threads and must not fork. The result is printed as JSON.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sklearn.linear_model import LogisticRegression

from artifacts import CHAMPION, Store, trial_child
from artifacts.errors import ArtifactError
from artifacts.trial import MEMORY_BYTES, TrialRequest, TrialResult, Trials
from tests.support import tiny_models
from tests.support.server import environment, run, unmeasured

PUBLISHERS, EACH = 3, 5
SEED = 20261121


class InProcessTrials(Trials):
    """Loads versions in this process: a child process takes longer to start than a publication that is killed."""

    def check(self, request: TrialRequest) -> TrialResult:
        reply = trial_child.load_version(request, MEMORY_BYTES)
        return TrialResult(reply["key"])


def ask(scene: str, root: Path) -> Any:
    """Run one scene in a separate process, without threads of BLAS, and return its result."""
    env = {**environment(), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    ended = run("tests.support.publisher_processes", scene, str(root), env=env)
    assert ended.returncode == 0, ended.stderr
    # Publishing prints a line of its own.
    return json.loads(ended.stdout.splitlines()[-1])


def race(root: Path) -> list[int]:
    """Let several processes publish at once, and return the exit code of each."""
    children = []
    for _ in range(PUBLISHERS):
        child = os.fork()
        if child == 0:
            for _ in range(EACH):
                tiny_models.make().publish(Store(root))
            os._exit(0)
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def kill(root: Path, publish: Callable[[Store], object], *, kills: int, within: float) -> list[dict[str, Any]]:
    """
    Kill a process that publishes in a loop, again and again, and return the state of the store after each kill.

    Each kill comes at a random time within the duration of `within` publications, because machines differ in speed.
    """
    chance = random.Random(SEED)
    publish(Store(root, trials=InProcessTrials()))
    began = time.monotonic()
    publish(Store(root, trials=InProcessTrials()))
    longest_s = within * (time.monotonic() - began)
    states: list[dict[str, Any]] = [state(root, known=set())]
    for _ in range(kills):
        child = os.fork()
        while child == 0:  # pragma: no cover - a killed process records no coverage
            publish(Store(root, trials=InProcessTrials()))
        time.sleep(chance.uniform(0, longest_s))
        os.kill(child, signal.SIGKILL)
        died_of = -os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        states.append({"died_of": died_of, **state(root, known=set(states[-1]["versions"]))})
    return states


def state(root: Path, *, known: set[int]) -> dict[str, Any]:
    """Return what a reader finds, and which of the champion and the new versions cannot be loaded."""
    store = Store(root, trials=InProcessTrials())
    versions, champion = store.versions("tiny"), store.resolve("tiny", CHAMPION)
    broken = [version for version in {*versions, champion} - (known - {champion}) if not _loads(store, version)]
    staged = len(list((root / "tiny").glob(".staging-*")))
    return {"models": store.models(), "versions": versions, "champion": champion, "broken": broken, "staged": staged}


def _loads(store: Store, version: int) -> bool:
    try:
        answer = store.load("tiny", version).predict(tiny_models.table())
    except ArtifactError:
        return False
    return tuple(answer.labels) == ("short",) * 3 + ("long",) * 3


def _train(store: Store) -> None:
    from train import publish

    estimator = LogisticRegression().fit(tiny_models.X, tiny_models.Y)
    # Compiling comes before anything is written, and takes most of the time.
    publish(estimator, tiny_models.X, tiny_models.Y, name="tiny", labels=["short", "long"], compiled=False, store=store)


if __name__ == "__main__":
    scene, folder = sys.argv[1], Path(sys.argv[2])
    made = tiny_models.make()
    scenes: dict[str, Callable[[], Any]] = {
        "race": lambda: race(folder),
        "kill": lambda: kill(folder, made.publish, kills=50, within=4),
        "kill-train": lambda: kill(folder, _train, kills=5, within=1.5),
    }
    with unmeasured():
        print(json.dumps(scenes[scene]()))
