"""What tests share: one trained store, and one server with production's reticence."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from artifacts.keys import generate
from tests.server import Api, Server, environment, run, unmeasured

# How long an example takes is the machine's affair, and not what a test asserts.
hypothesis.settings.register_profile("sepal", deadline=None)
hypothesis.settings.load_profile("sepal")


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores, since many a test waits for its server or for a deadline to pass."""
    return (os.cpu_count() or 1) + 1


def pytest_configure(config: pytest.Config) -> None:
    """Every version that a test publishes is signed with a key of this run, which no other run trusts."""
    if hasattr(config, "workerinput"):
        return
    folder = Path(tempfile.mkdtemp(prefix="sepal-keys-"))
    config.add_cleanup(lambda: shutil.rmtree(folder))
    os.environ["SEPAL_SIGNING_KEY"] = str(folder / "signing.key")
    os.environ["SEPAL_TRUSTED_KEYS"] = generate(folder / "signing.key").text


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Workers begin with the last file: training and the README's tour take long, and nobody shall end with them."""
    items.sort(key=lambda item: item.path, reverse=hasattr(config, "workerinput"))


@pytest.fixture(scope="session")
@unmeasured()
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with iris in it, made by the command that a user runs; nobody changes it."""
    folder = tmp_path_factory.mktemp("store")
    trained = run("train", "iris", env=environment(artifacts=folder))
    assert trained.returncode == 0, trained.stdout + trained.stderr
    return folder


@pytest.fixture(scope="session")
def server(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for iris that never shows a value that was sent."""
    state = tmp_path_factory.mktemp("state")
    env = environment(artifacts=store, state=state, error_values="false", log_format="json", token_ttl_s=36_000)
    with Server(env) as running:
        yield running


@pytest.fixture(scope="session")
def api(server: Server) -> Api:
    """The server, asked with a token of every scope."""
    return Api(server, server.bearer())
