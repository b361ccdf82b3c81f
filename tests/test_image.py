"""The container image: its contents, its user, and that it serves under every restriction."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from lightgbm import LGBMClassifier
from sklearn.datasets import load_iris

from artifacts import Store
from tests.support.image import RESTRICTED, TOOLS, Container, Storage, serving, storage
from tests.support.keys import SECRET
from tests.support.server import ROOT
from train import publish

pytestmark = [pytest.mark.image, pytest.mark.timeout(1500)]

IMAGE = "sepal"
LARGEST_MB = 700
PASSWORD = "correct horse battery"
SETOSA = [5.1, 3.5, 1.4, 0.2]


@pytest.fixture(scope="module")
def images() -> Iterator[Storage]:
    """A storage with the image, built as `make image` builds it."""
    missing = [tool for tool in TOOLS if not shutil.which(tool)] + ["root"] * (os.geteuid() != 0)
    if missing:
        assert "SEPAL_TEST_EVERYTHING" not in os.environ, f"the image needs {missing}"
        pytest.skip(f"the image needs {missing}")
    with storage() as empty:
        empty.make(IMAGE, empty.find_base())
        yield empty


@pytest.fixture(scope="module")
def models(store: Path, images: Storage) -> str:
    """The option that mounts iris, readable for all users and read-only."""
    # Other users cannot read the folders of pytest, and the container runs as another user.
    folder = shutil.copytree(store, images.home / "models")
    folder.chmod(0o755)
    return f"--volume={folder}:/models:ro"


@pytest.fixture(scope="module")
def container(images: Storage, models: str) -> Iterator[Container]:
    """A server for iris, with its state in a volume."""
    with serving(images, IMAGE, models, "--volume=state:/data") as running:
        yield running


def inside(images: Storage, *command: str) -> str:
    """Return the output of a command in a new container without mounts."""
    return images.ask("run", "--rm", *RESTRICTED, IMAGE, *command)


def code() -> set[str]:
    """Return every file of the two packages of the image, without models."""
    files = [path for package in ("artifacts", "serve") for path in (ROOT / package).rglob("*") if path.is_file()]
    models = ROOT / "artifacts" / "models"
    return {f"./{path.relative_to(ROOT)}" for path in files if path.suffix != ".pyc" and models not in path.parents}


def predict(container: Container, model: str) -> dict[str, object]:
    """Add a user, log in as a client does, and return the prediction for one flower."""
    user = f"ada-{model}"
    added = container.call("python", "-m", "serve", "users", "add", user, stdin=PASSWORD + "\n")
    assert added.returncode == 0, added.stderr
    token = container.client.post("/api/v1/token", data={"username": user, "password": PASSWORD}).json()
    response = container.client.post(
        f"/api/v1/models/{model}/predict",
        json={"instances": [SETOSA]},
        headers={"Authorization": f"Bearer {token['access_token']}"},
    )
    body: dict[str, object] = response.json()
    return body


def test_the_image_is_small(images: Storage, capsys: pytest.CaptureFixture[str]) -> None:
    """The image, including its base, is not larger than the documentation says."""
    size_mb = int(images.ask("image", "inspect", "--format={{.Size}}", IMAGE)) / 1e6

    with capsys.disabled():
        print(f"\nthe image has {size_mb:.0f} MB")
    assert size_mb < LARGEST_MB


def test_the_image_contains_only_the_server(images: Storage) -> None:
    """The image has only the packages of the lock file and pip, the two own packages, no model and no compiler."""
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements-serve.lock").read_text(), re.MULTILINE))

    listed = inside(images, "pip", "list", "--format=freeze", "--disable-pip-version-check")
    installed = {line.partition("==")[0].lower().replace("_", "-").replace(".", "-") for line in listed.splitlines()}

    assert {"scikit-learn", "fastapi"} <= installed <= locked | {"pip"}
    assert set(inside(images, "find", ".", "-type", "f", "-not", "-name", "*.pyc").split()) == code()
    assert inside(images, "sh", "-c", "for name in cc gcc g++ make; do command -v $name; done; true") == ""


def test_the_container_can_write_only_its_state(images: Storage) -> None:
    """The container runs without root and without capabilities, and can write only to /data and /tmp."""
    folders = ["/", "/app", "/opt/sepal", "/models", "/data", "/tmp"]
    attempt = "for folder in $0 $@; do touch $folder/file 2>/dev/null && echo $folder; done; true"

    assert inside(images, "sh", "-c", attempt, *folders).split() == ["/data", "/tmp"]
    assert inside(images, "id", "-u") == "10001"
    assert re.search(r"^\S+ / \S+ ro,", inside(images, "cat", "/proc/mounts"), re.MULTILINE)
    assert "\nCapEff:\t0000000000000000\n" in inside(images, "cat", "/proc/self/status")


def test_without_a_secret_the_container_does_not_start(images: Storage) -> None:
    """The container runs in production mode by default, and names the missing setting."""
    ended = images.podman("run", "--rm", *RESTRICTED, IMAGE)

    assert ended.returncode == 2
    assert "SEPAL_SECRET_KEY is missing" in ended.stderr


def test_without_a_trusted_key_the_container_does_not_start(images: Storage) -> None:
    """The image trusts no key; the trusted keys must be set when it is run."""
    ended = images.podman("run", "--rm", *RESTRICTED, "--env=SEPAL_SECRET_KEY=" + SECRET, IMAGE)

    assert ended.returncode == 2
    assert "SEPAL_TRUSTED_KEYS is missing" in ended.stderr


def test_a_model_of_an_untrusted_key_is_not_served(images: Storage, models: str) -> None:
    """A container with a model that no trusted key signed is not ready."""
    with serving(images, IMAGE, models, trusted_keys="ed25519:" + "A" * 43) as running:
        assert running.client.get("/health/ready").status_code == 503
        assert "artifact-untrusted" in running.call("python", "-m", "artifacts", "verify").stdout


def test_a_user_who_was_added_in_the_container_gets_a_prediction(container: Container) -> None:
    """The first user is added in the running container, logs in, and gets the prediction setosa."""
    assert predict(container, "iris")["predictions"] == ["setosa"]


def test_the_health_check_needs_a_model(container: Container, images: Storage) -> None:
    """The health check of the image passes for a server that predicts, and fails for an empty store."""
    with_model = images.podman("healthcheck", "run", container.name)
    with serving(images, IMAGE) as empty:
        without_model = images.podman("healthcheck", "run", empty.name)

    assert (with_model.returncode, without_model.returncode) == (0, 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_stops_the_container_gracefully(images: Storage, models: str, workers: int) -> None:
    """As process 1, with one or two workers, the server drains and exits with 0."""
    with serving(images, IMAGE, models, workers=workers) as running:
        assert running.client.get("/health/ready").status_code == 200
        assert running.stop() == 0


def test_state_outlives_the_container(images: Storage, models: str, container: Container) -> None:
    """A second container with the same volume has the users of the first."""
    container.call("python", "-m", "serve", "users", "add", "grace", stdin=PASSWORD + "\n")

    settings = ["--env=SEPAL_SECRET_KEY=" + SECRET, f"--env=SEPAL_TRUSTED_KEYS={os.environ['SEPAL_TRUSTED_KEYS']}"]
    listed = images.ask("run", "--rm", *RESTRICTED, *settings, "--volume=state:/data", IMAGE,
                        "python", "-m", "serve", "users", "list")  # fmt: skip

    assert "grace" in listed


def test_packages_of_a_model_are_added_as_documented(images: Storage, tmp_path: Path) -> None:
    """The Dockerfile for LightGBM in docs/operations.md builds an image that serves a LightGBM model."""
    [example] = re.findall(r"```dockerfile\n(.*?)```", (ROOT / "docs" / "operations.md").read_text(), re.DOTALL)
    X, y = load_iris(return_X_y=True)
    folder = images.home / "boosted"
    estimator = LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1).fit(X, y)
    # A compiled program would serve it without LightGBM.
    publish(estimator, X, y, name="boosted", compiled=False, store=Store(folder))
    mount = f"--volume={folder}:/models:ro"
    (tmp_path / "Dockerfile").write_text(example)

    images.build(tmp_path, "boosted")

    with serving(images, IMAGE, mount) as without_lightgbm:
        assert predict(without_lightgbm, "boosted")["type"] == "/problems/model-unavailable"
    with serving(images, "boosted", mount) as boosted:
        assert predict(boosted, "boosted")["predictions"] == [0]
        assert boosted.call("id", "-u").stdout.strip() == "10001"
