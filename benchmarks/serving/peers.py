"""
The servers of the comparison, each in its best known configuration.

Ray Serve is not included: it starts a dozen processes, and figures on the two cores of this comparison would not show
how it performs on more.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.serving.dialects import BENTOML, MLFLOW, MLSERVER, ROWS, SEPAL, TUTORIAL, VETIVER
from benchmarks.serving.peer import KEY, ROOT, SCRIPTS, Cell, Command, Peer, Place

NUMBERS = ("iris", "forest", "boosting")
MODELS = (*NUMBERS, "penguins")
EACH_ALONE = tuple((model,) for model in MODELS)

ALONE = tuple(Cell(model, 1, 1) for model in MODELS)
TOGETHER = tuple(Cell(model, 1, 64) for model in MODELS)
THOUSAND = (Cell("iris", 1000, 2), Cell("forest", 1000, 2))
CURVE = tuple(Cell("iris", rows, 2) for rows in (1, 10, 100))
LARGE = tuple(Cell("iris", rows, 2) for rows in (10_000, 100_000))
USUAL = (*ALONE[:1], *TOGETHER, *THOUSAND, *CURVE)


def _uvicorn(app: str, *options: str, folder: Path = ROOT) -> Command:
    def command(place: Place, programs: Path, _models: Sequence[str]) -> list[str]:
        return [
            f"{programs}/python", "-m", "uvicorn", app, "--app-dir", str(folder),
            "--host", "127.0.0.1", "--port", str(place.port), "--loop", "uvloop", "--http", "httptools",
            "--no-access-log", "--log-level", "warning", *options,
        ]  # fmt: skip

    return command


def _run_sepal(place: Place, programs: Path, _models: Sequence[str]) -> list[str]:
    return [f"{programs}/python", "-m", "serve", "run", "--port", str(place.port)]


def _sepal(place: Place) -> Mapping[str, str]:
    return {
        "SEPAL_ARTIFACTS": str(place.models / "store"),
        "SEPAL_SIGNING_KEY": str(place.models / KEY),
        "SEPAL_STATE": str(place.folder / "state"),
    }


def _sepal_without_limits(place: Place) -> Mapping[str, str]:
    return {
        **_sepal(place),
        "SEPAL_MAX_ROWS": str(LARGE[-1].rows),
        "SEPAL_MAX_JSON_BYTES": str(64 * 2**20),
        "SEPAL_QUEUE_ROWS": str(8 * LARGE[-1].rows),
    }


def _with_scripts(_place: Place) -> Mapping[str, str]:
    return {"PYTHONPATH": str(SCRIPTS)}


def _run_mlserver(place: Place, programs: Path, _models: Sequence[str]) -> list[str]:
    return [f"{programs}/mlserver", "start", str(place.folder / "mlserver")]


def _prepare_mlserver(place: Place, _peer: Peer) -> None:
    """Configure one process that batches requests which arrive within a millisecond."""
    settings = {
        "debug": False, "parallel_workers": 0, "metrics_endpoint": None, "gzip_enabled": False,
        "host": "127.0.0.1", "http_port": place.port, "grpc_port": place.port + 1, "metrics_port": place.port + 2,
    }  # fmt: skip
    folder = place.folder / "mlserver"
    folder.mkdir(exist_ok=True)
    (folder / "settings.json").write_text(json.dumps(settings))
    for name in MODELS:
        model = {
            "name": name,
            "implementation": "mlserver_sklearn.SKLearnModel" if name in NUMBERS else "mlserver_runtime.FrameModel",
            "parameters": {"uri": str(place.models / f"{name}.joblib"), "version": "v1"},
            "max_batch_size": 64,
            "max_batch_time": 0.001,
        }
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "model-settings.json").write_text(json.dumps(model))


def _run_bentoml(place: Place, programs: Path, _models: Sequence[str]) -> list[str]:
    return [
        f"{programs}/bentoml", "serve", "--quiet", "--working-dir", str(SCRIPTS), "bento_service:Models",
        "--host", "127.0.0.1", "--port", str(place.port),
    ]  # fmt: skip


def _run_litserve(place: Place, programs: Path, _models: Sequence[str]) -> list[str]:
    return [f"{programs}/python", str(SCRIPTS / "lit_server.py"), str(place.port)]


def _run_mlflow(place: Place, programs: Path, models: Sequence[str]) -> list[str]:
    [model] = models
    return [
        f"{programs}/mlflow", "models", "serve", "--model-uri", str(place.folder / "mlflow" / model),
        "--host", "127.0.0.1", "--port", str(place.port), "--env-manager", "local", "--workers", "1",
    ]  # fmt: skip


def _mlflow(place: Place) -> Mapping[str, str]:
    return {**_with_scripts(place), "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_LOGGING_LEVEL": "ERROR"}


def _prepare_mlflow(place: Place, peer: Peer) -> None:
    python = place.programs(peer.environment) / "python"
    subprocess.run(
        [python, SCRIPTS / "mlflow_models.py", place.folder / "mlflow", *MODELS],
        check=True,
        env=peer.env(place, MODELS),
        cwd=place.folder,
    )


SEPAL_ITSELF = Peer(
    name="sepal",
    command=_run_sepal,
    dialect=SEPAL,
    path="/api/v1/models/{model}/predict",
    cells=(*USUAL, *ALONE[1:]),
    groups=(MODELS,),
    requirements=("fastapi", "uvicorn", "pydantic"),
    variables=_sepal,
    token="serve token",
)
# uvicorn with the options of `python -m serve run`; it gets the same requests as sepal.
CEILING = Peer(
    name="bare ASGI",
    command=_uvicorn("benchmarks.peers.ceiling:app", "--no-server-header", "--no-proxy-headers"),
    dialect=SEPAL,
    path=SEPAL_ITSELF.path,
    cells=(ALONE[0], TOGETHER[0]),
    groups=(("iris",),),
    variables=_sepal,
    token=SEPAL_ITSELF.token,
    is_constant=True,
)
TUTORIAL_DEF = Peer(
    name="tutorial",
    command=_uvicorn("benchmarks.peers.tutorial:app"),
    dialect=TUTORIAL,
    path="/{model}/predict",
    many_path="/{model}/batch",
    cells=(*USUAL, *ALONE[1:], *LARGE),
    groups=(NUMBERS, ("penguins",)),
)

PEERS = (
    SEPAL_ITSELF,
    replace(SEPAL_ITSELF, name="sepal (labels only)", path=f"{SEPAL_ITSELF.path}?probabilities=false", cells=THOUSAND),
    replace(SEPAL_ITSELF, name="sepal (large requests)", variables=_sepal_without_limits, cells=LARGE),
    CEILING,
    TUTORIAL_DEF,
    replace(TUTORIAL_DEF, name="tutorial (async def)", path="/{model}/async", cells=(*ALONE[:1], *TOGETHER)),
    replace(
        TUTORIAL_DEF,
        name="tutorial (JWT)",
        path="/{model}/secure",
        cells=(*ALONE[:1], *TOGETHER),
        token="benchmarks.peers.tutorial",
    ),
    Peer(
        name="MLServer",
        command=_run_mlserver,
        dialect=MLSERVER,
        path="/v2/models/{model}/infer",
        cells=(*USUAL, *ALONE[1:], *LARGE),
        groups=(MODELS,),
        environment="mlserver",
        requirements=("mlserver==1.7.1", "mlserver-sklearn==1.7.1"),
        variables=_with_scripts,
        prepare=_prepare_mlserver,
    ),
    Peer(
        name="BentoML",
        command=_run_bentoml,
        dialect=BENTOML,
        path="/{model}/predict",
        cells=(*USUAL, *LARGE),
        groups=(MODELS,),
        environment="bentoml",
        requirements=("bentoml==1.4.39",),
        variables=lambda place: {"BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(place.folder / "bentoml")},
    ),
    Peer(
        name="LitServe",
        command=_run_litserve,
        dialect=ROWS,
        path="/{model}/predict",
        cells=USUAL,
        groups=EACH_ALONE,
        environment="litserve",
        requirements=("litserve==0.2.19",),
    ),
    Peer(
        name="MLflow",
        command=_run_mlflow,
        dialect=MLFLOW,
        path="/invocations",
        cells=USUAL,
        groups=EACH_ALONE,
        environment="mlflow",
        requirements=("mlflow==3.17.2",),
        variables=_mlflow,
        prepare=_prepare_mlflow,
    ),
    Peer(
        name="vetiver",
        command=_uvicorn("vetiver_app:app", folder=SCRIPTS),
        dialect=VETIVER,
        path="/{model}/predict",
        cells=USUAL,
        groups=(NUMBERS, ("penguins",)),
        environment="vetiver",
        requirements=("vetiver==0.2.6",),
    ),
)
