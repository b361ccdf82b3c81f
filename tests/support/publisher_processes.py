"""
Publishers in processes of their own, at the same time or killed.

    python -m tests.support.publisher_processes race | kill | kill-train STORE

A program and no fixture, for pytest's process has threads and shall not fork. What it sees goes to stdout, as JSON.
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
    """Run one scene in a process of its own, BLAS without threads, and give back what it saw."""
    env = {**environment(), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    told = run("tests.support.publisher_processes", scene, str(root), env=env)
    assert told.returncode == 0, told.stderr
    # Publishing prints a line of its own.
    return json.loads(told.stdout.splitlines()[-1])


def race(root: Path) -> list[int]:
    """Let several publish at once, and tell the exit code of each."""
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
    Kill a process that publishes without end, again and again, and tell the state of the store after each time.

    A kill comes at random `within` as many publications as would be done by then, for machines differ in speed.
    """
    chance = random.Random(SEED)
    publish(Store(root, trials=InProcessTrials()))
    began = time.monotonic()
    publish(Store(root, trials=InProcessTrials()))
    longest_s = within * (time.monotonic() - began)
    states: list[dict[str, Any]] = [state(root, known=set())]
    for _ in range(kills):
        child = os.fork()
        while child == 0:  # pragma: no cover - who is killed cannot tell what it has run
            publish(Store(root, trials=InProcessTrials()))
        time.sleep(chance.uniform(0, longest_s))
        os.kill(child, signal.SIGKILL)
        died_of = -os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        states.append({"died_of": died_of, **state(root, known=set(states[-1]["versions"]))})
    return states


def state(root: Path, *, known: set[int]) -> dict[str, Any]:
    """What a reader finds, and which version, if it is the champion or not known yet, cannot be loaded."""
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
    # Programs are made before anything is written, and take most of the time.
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
