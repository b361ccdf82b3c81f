"""Versions are loaded in a child process first, with limits."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from artifacts import ArtifactError, Store
from artifacts.child import ChildPool
from artifacts.errors import ArtifactUnloadable, ArtifactUntrusted
from artifacts.keys import Keys, generate
from artifacts.signing import parse_key
from artifacts.trial import Trials, start_child
from artifacts.version_folder import Identity
from tests.support import crashing_model, tiny_models
from tests.support.server import environment, run


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(tmp_path / "store")


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        ("memory", "loading it needs more than 1024 MiB of memory"),
        ("segfault", "loading it ends the process: SIGSEGV"),
        ("exit", "loading it ends the process: exit code 7"),
        ("SystemExit", "model.joblib cannot be loaded: SystemExit"),
        ("KeyboardInterrupt", "model.joblib cannot be loaded: KeyboardInterrupt"),
    ],
)
def test_a_version_that_crashes_ends_only_the_child(store: Store, tmp_path: Path, act: str, reason: str) -> None:
    """The error says how the child ended; the next version is loaded, and the alias does not move."""
    crashing_model.publish(store, tmp_path / "model", load=act)
    tiny_models.make().publish(store)

    for attempt in (store.load, store.check, store.promote):
        with pytest.raises(ArtifactUnloadable, match=f"^{reason}$"):
            attempt("crashing", 1)
    assert store.load("tiny", 1).key


def test_a_version_that_never_loads_is_stopped(store: Store, tmp_path: Path) -> None:
    """After its time the process is ended."""
    crashing_model.publish(store, tmp_path / "model", load="sleep")
    before = len(crashing_model.loads(tmp_path / "model"))

    with (
        closing(Trials(time_s=5)) as trials,
        pytest.raises(ArtifactUnloadable, match="loading it takes longer than 5 s"),
    ):
        Store(store.root, trials=trials).check("crashing", 1)

    tried = crashing_model.loads(tmp_path / "model")[before:]
    assert not any(Path(f"/proc/{pid}").exists() for pid in tried)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what a process waits for a processor")
def test_a_busy_machine_gives_a_version_longer(store: Store, tmp_path: Path) -> None:
    """The time that a version waits for a processor is not counted, so it may take longer."""
    tiny_models.make().publish(store)
    crashing_model.publish(store, tmp_path / "model", load="work")
    here = os.sched_getaffinity(0)

    with ExitStack() as started:
        trials = started.enter_context(closing(Trials(time_s=3)))
        # The child and the others share one processor.
        os.sched_setaffinity(0, {min(here)})
        started.callback(os.sched_setaffinity, 0, here)
        # It imports scikit-learn before the others begin.
        tried = Store(store.root, trials=trials)
        assert tried.check("tiny", 1).key
        began = time.monotonic()
        for _ in range(4):
            # In a session of its own each has as large a share as the child.
            busy = subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
            started.enter_context(busy)
            started.callback(busy.kill)
        assert tried.check("crashing", 1).key

    assert time.monotonic() - began > 3


def test_what_cannot_be_loaded_is_not_published(store: Store, tmp_path: Path) -> None:
    """A version that cannot be loaded gets no number, the champion does not move, and no file is left."""
    (tmp_path / "load").write_text("segfault")

    with pytest.raises(ArtifactUnloadable, match="SIGSEGV"):
        crashing_model.publish(store, tmp_path)

    assert store.models() == []


def test_promote_reports_a_crash_on_the_command_line(tmp_path: Path) -> None:
    """One line is printed, the exit code is 1, and the alias does not move."""
    store = Store(tmp_path / "store")
    tiny_models.make().publish(store, model="crashing")
    crashing_model.publish(store, tmp_path / "model")
    store.promote("crashing", 1)
    (tmp_path / "model" / "load").write_text("memory")

    ended = run("artifacts", "promote", "crashing@2", env=environment(artifacts=store.root))

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "artifact-unloadable: loading it needs more than 1024 MiB of memory\n"
    assert store.aliases("crashing") == {"champion": 1}


def test_an_untrusted_version_is_not_unpickled_in_the_child(store: Store, tmp_path: Path) -> None:
    """The child verifies the signature itself."""
    crashing_model.publish(store, tmp_path / "model")
    before = crashing_model.loads(tmp_path / "model")
    other = parse_key(generate(tmp_path / "other.key").text)
    stranger = Store(store.root, keys=Keys((other,), tmp_path / "other.key"))

    with pytest.raises(ArtifactUntrusted):
        stranger.load("crashing", 1)
    with pytest.raises(ArtifactUntrusted):
        stranger._try(Identity("crashing", 1), "1", store.manifest("crashing", 1), (other,), "auto")

    assert crashing_model.loads(tmp_path / "model") == before


def test_a_child_is_used_again_unless_a_version_has_run_in_it(store: Store, tmp_path: Path) -> None:
    """A failure before anything of a version is loaded leaves the child usable; a later one does not."""
    for version in (1, 2):
        tiny_models.make().publish(store, promote=version == 1)
    (store.root / "tiny" / "2" / "manifest.sig").unlink()
    crashing_model.publish(store, tmp_path / "model", load="KeyboardInterrupt")

    with closing(Trials()) as trials:
        tried = Store(store.root, trials=trials)
        assert tried.check("tiny", 1).key
        [child] = list(trials._children._idle.queue)
        with pytest.raises(ArtifactUntrusted):
            tried.check("tiny", 2)
        assert list(trials._children._idle.queue) == [child]
        with pytest.raises(ArtifactUnloadable):
            tried.check("crashing", 1)
        assert list(trials._children._idle.queue) == []


def test_a_version_is_loaded_in_a_child_before_it_is_loaded_here(store: Store, tmp_path: Path) -> None:
    """`load` loads it once in each process; `check` only in the child."""
    crashing_model.publish(store, tmp_path / "model")

    store.check("crashing", 1)
    store.load("crashing", 1)

    *_, first, second, here = crashing_model.loads(tmp_path / "model")
    assert first == second != here


def test_processes_that_share_their_results_try_a_version_once(tmp_path: Path) -> None:
    """Refusals are shared as well, and other versions are still tried."""
    (tmp_path / "verdicts").mkdir()
    both = [Trials(verdicts=tmp_path / "verdicts") for _ in range(2)]
    stores = [Store(tmp_path / "store", trials=trials) for trials in both]
    crashing_model.publish(Store(tmp_path / "store"), tmp_path / "model", load="exit")
    before = len(crashing_model.loads(tmp_path / "model"))
    crashing_model.publish(Store(tmp_path / "store"), tmp_path / "other", model="other")

    for store in stores:
        with pytest.raises(ArtifactError, match="exit code 7"):
            store.load("crashing", 1)
        assert store.load("other", 1).key

    assert len(crashing_model.loads(tmp_path / "model")) == before + 1
    for trials in both:
        trials.close()


def test_a_slow_version_delays_no_other(tmp_path: Path) -> None:
    """While a child is busy, another one is started."""
    trials = Trials(time_s=8, children=ChildPool(start_child, wait_s=0.1))
    store = Store(tmp_path / "store", trials=trials)
    crashing_model.publish(store, tmp_path / "model", load="sleep")
    tiny_models.make().publish(store)

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(store.check, "crashing", 1)
        while len(crashing_model.loads(tmp_path / "model")) < 2:
            assert not slow.done()
        assert store.check("tiny", 1).key
        assert not slow.done()
        with pytest.raises(ArtifactUnloadable, match="longer than 8 s"):
            slow.result()
    trials.close()
