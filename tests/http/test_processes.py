"""The processes of the server: what ends a worker, and how it is replaced."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from artifacts import Store
from tests.support import crashing_model, tiny_models
from tests.support.deployment import within
from tests.support.gated_model import Gate
from tests.support.server import Api, Server, environment, slug, unmeasured, untraced

GOOD = [[1.0, 2]]
PATH = "/api/v1/models/crashing/predict"
# The machine may be busy; what is asked for is five seconds.
BACK_S = 20.0


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One worker with a model that does what a row says."""
    folder = tmp_path_factory.mktemp("crashing")
    store = Store(folder / "store")
    with untraced():
        crashing_model.publish(store, folder / "model")
    with Server(environment(artifacts=store.root, state=folder / "state", log_format="json")) as server:
        yield Api(server, server.bearer())


@pytest.mark.parametrize("act", ["KeyboardInterrupt", "SystemExit", "GeneratorExit", "CancelledError", "StopIteration"])
@pytest.mark.parametrize("query", [{}, {"probabilities": "false"}])
def test_an_exception_of_a_model_fails_only_its_request(api: Api, act: str, query: dict[str, str]) -> None:
    """Other requests are answered, by the same process."""
    worker = api.server.worker

    with ThreadPoolExecutor(20) as pool:
        good = [pool.submit(api.predict, GOOD, PATH) for _ in range(19)]
        bad = api.predict([crashing_model.row(act)], PATH, **query)

    assert (bad.status_code, slug(bad)) == (422, "no-answer")
    assert [request.result().status_code for request in good] == [200] * 19
    assert api.server.worker == worker


def test_a_csv_row_that_ends_the_model_is_an_error_row(api: Api) -> None:
    """The row after it is predicted, and the process stays."""
    worker = api.server.worker
    length, leaves = crashing_model.row("SystemExit")

    answer = api.post_csv(f"length,leaves\n{length},{leaves}\n1.0,2\n".encode(), f"{PATH}/csv")

    assert answer.status_code == 200
    _, bad, good = answer.text.splitlines()
    assert "no prediction" in bad
    assert "short" in good
    assert api.server.worker == worker


def test_a_crashed_worker_is_replaced(api: Api) -> None:
    """A segmentation fault ends one worker; new connections wait for the next one, and the log has the signal."""
    worker = api.server.worker

    with pytest.raises(httpx2.TransportError):
        api.predict([crashing_model.row("segfault")], PATH)
    began = time.monotonic()
    answer = api.predict(GOOD, PATH)

    assert answer.status_code == 200
    assert time.monotonic() - began < BACK_S
    assert api.server.worker != worker
    line = api.server.line("worker ended", str(worker))
    assert (line["signal"], line["restart_in_s"]) == ("SIGSEGV", 0.0)


@pytest.mark.parametrize("workers", [1, 2])
@unmeasured()
def test_workers_do_not_outlive_their_parent(tmp_path: Path, workers: int) -> None:
    """After `kill -9` of it they answer what is in flight, and the port is free within ten seconds."""
    store, gate = Store(tmp_path / "store"), Gate(tmp_path)
    gate.publish(store)
    with Server(environment(artifacts=store.root, state=tmp_path / "state", workers=workers)) as server:
        api = Api(server, server.bearer())
        left = server.workers
        with ThreadPoolExecutor(1) as pool:
            with gate.closed():
                request = pool.submit(api.predict, [[1.0, 2]], "/api/v1/models/gated/predict")
                assert within(20, lambda: bool(gate.calls))
                server.process.kill()
                killed = time.monotonic()
                server.process.wait()
            answer = request.result()

        assert answer.status_code == 200
        assert within(10, lambda: not any(Path(f"/proc/{pid}").exists() for pid in left))
        assert time.monotonic() - killed < 10
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", server.port))


@unmeasured()
def test_a_second_sigterm_does_not_cut_requests_off(tmp_path: Path) -> None:
    """The worker drains as after one signal, and the exit code is 0."""
    store, gate = Store(tmp_path / "store"), Gate(tmp_path)
    gate.publish(store)
    with Server(environment(artifacts=store.root, state=tmp_path / "state")) as server:
        api = Api(server, server.bearer())
        with ThreadPoolExecutor(1) as pool:
            with gate.closed():
                request = pool.submit(api.predict, [[1.0, 2]], "/api/v1/models/gated/predict")
                assert within(20, lambda: bool(gate.calls))
                for _ in range(2):
                    server.process.send_signal(signal.SIGTERM)
                assert within(5, lambda: _refuses(server.port))
            answer = request.result()

        assert answer.status_code == 200
        assert server.process.wait(30) == 0


def _refuses(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@unmeasured()
def test_a_shutdown_does_not_wait_for_a_trial(tmp_path: Path) -> None:
    """A version that is still being tried does not delay the shutdown."""
    store = Store(tmp_path / "store")
    crashing_model.publish(store, tmp_path / "model", load="sleep")
    with Server(environment(artifacts=store.root, state=tmp_path / "state"), is_awaited=False) as server:
        assert within(60, lambda: _answers(server))
        trying = crashing_model.loads(tmp_path / "model")[-1]
        assert Path(f"/proc/{trying}").exists()
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)

        assert server.process.wait(30) == 0
        assert time.monotonic() - began < 10


def _answers(server: Server) -> bool:
    try:
        return server.client.get("/health/live").status_code == 200
    except httpx2.TransportError:
        return False


def test_the_parent_is_small(api: Api) -> None:
    """The parent process loads no model and no library of models."""
    pid = api.server.process.pid
    maps = Path(f"/proc/{pid}/maps").read_text()
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())

    assert not any(f"/{library}/" in maps for library in ("sklearn", "scipy", "pandas", "pyarrow"))
    assert int(status["VmRSS"].split()[0]) < 128 * 1024


def test_good_models_are_served_while_a_bad_one_is_tried(tmp_path: Path) -> None:
    """The server listens within the time that the bad one has, which is 503 until then, as readiness is."""
    store = Store(tmp_path / "store")
    with untraced():
        tiny_models.make().publish(store)
        for act in ("sleep", "memory", "segfault"):
            crashing_model.publish(store, tmp_path / act, model=act, load=act)
    env = environment(artifacts=store.root, state=tmp_path / "state", log_format="json", workers=2)
    with Server(env, is_awaited=False) as server:
        assert within(90, lambda: _answers(server))
        api = Api(server, server.bearer())
        assert within(25, lambda: api.predict(GOOD, "/api/v1/models/tiny/predict").status_code == 200)
        while_trying = api.predict(GOOD, "/api/v1/models/sleep/predict")
        ready = server.client.get("/health/ready")

        assert (while_trying.status_code, slug(while_trying)) == (503, "model-unavailable")
        assert "still being loaded" in while_trying.json()["detail"]
        assert (ready.status_code, ready.json()["detail"]) == (503, "a model is still being loaded")

        assert within(60, lambda: all("being loaded" not in _ready(server) for _ in range(8)))
        assert server.client.get("/health/ready").json()["status"] == "degraded"
        listed = {model["name"]: model["unavailable"] for model in api.get("/api/v1/models").json()["models"]}
        assert [listed[name][0]["detail"] for name in ("sleep", "memory", "segfault")] == [
            "loading it takes longer than 30 s",
            "loading it needs more than 1024 MiB of memory",
            "loading it ends the process: SIGSEGV",
        ]
    # Publishing loaded it once in a child; so did the server, for both workers.
    for act in ("sleep", "memory", "segfault"):
        assert len(crashing_model.loads(tmp_path / act)) == 2


def _ready(server: Server) -> str:
    with httpx2.Client() as client:
        return client.get(f"http://127.0.0.1:{server.port}/health/ready").text


@unmeasured()
def test_a_worker_that_starts_while_the_store_is_away_looks_again(tmp_path: Path) -> None:
    """It answers 503 and not 404, and serves the models once the store is back."""
    store = Store(tmp_path / "store")
    tiny_models.make().publish(store)
    with Server(environment(artifacts=store.root, state=tmp_path / "state", log_format="json")) as server:
        api = Api(server, server.bearer())
        assert api.predict(GOOD).status_code == 200
        worker = server.worker

        store.root.rename(tmp_path / "away")
        os.kill(worker, signal.SIGKILL)
        assert within(BACK_S, lambda: server.workers not in ([], [worker]))
        missing = [api.predict(GOOD), api.predict(GOOD, "/api/v1/models/tiny/predict"), api.get("/api/v1/models/tiny")]
        ready = server.client.get("/health/ready")
        (tmp_path / "away").rename(store.root)

        assert [(answer.status_code, slug(answer)) for answer in missing] == [(503, "model-unavailable")] * 3
        assert (ready.status_code, ready.json()["detail"]) == (503, "the model store cannot be read")
        assert within(BACK_S, lambda: api.predict(GOOD).status_code == 200)
        assert server.client.get("/health/ready").json()["status"] == "ok"
        assert server.line("the model store cannot be read")["level"] == "error"


@unmeasured()
def test_a_version_that_is_away_is_looked_for_again(tmp_path: Path) -> None:
    """A part of the store that comes back later is served then, without a restart."""
    store = Store(tmp_path / "store")
    tiny_models.make().publish(store)
    (store.root / "tiny" / "1").rename(tmp_path / "away")
    tiny_models.make().publish(store, promote=False)
    with Server(environment(artifacts=store.root, state=tmp_path / "state", log_format="json")) as server:
        api = Api(server, server.bearer())
        missing = api.predict(GOOD)
        (tmp_path / "away").rename(store.root / "tiny" / "1")

        assert missing.status_code == 503
        assert within(BACK_S, lambda: api.predict(GOOD).status_code == 200)
