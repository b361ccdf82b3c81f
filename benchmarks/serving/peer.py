"""One server of the comparison: its requirements, its command, its requests and its measurements."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.serving.dialects import Dialect

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "benchmarks" / "peers"
# The key that signed the models, in their folder.
KEY = "signing.key"
# The libraries of every model, and the event loop and the parser with which uvicorn is fastest.
COMMON = ("scikit-learn", "numpy", "pandas", "joblib", "uvloop", "httptools")


@dataclass(frozen=True, slots=True)
class Cell:
    """
    One figure: a number of rows per request, and a number of requests at once.

    Attributes:
        model: The model.
        rows: Rows per request.
        concurrency: Connections; each sends its next request as soon as it has a response.
    """

    model: str
    rows: int
    concurrency: int


@dataclass(frozen=True, slots=True)
class Place:
    """
    The folder of the benchmark, and the port of its servers.

    Attributes:
        folder: The absolute path of the folder with environments, models, bodies and logs.
        port: The port of every server, one server at a time; MLServer also uses the next two.
    """

    folder: Path
    port: int

    @property
    def models(self) -> Path:
        """The folder of the pickles, the tables and the store."""
        return self.folder / "models"

    def programs(self, environment: str) -> Path:
        """Return the folder of the programs of an environment; an empty name is the project's own."""
        return self.folder / "environments" / environment / "bin" if environment else Path(sys.executable).parent


Command = Callable[[Place, Path, Sequence[str]], list[str]]


@dataclass(frozen=True, slots=True)
class Peer:
    """
    One server, in its best known configuration.

    Attributes:
        name: The name in the tables.
        command: Returns the command line for a place, a folder of programs and the models to serve.
        dialect: The JSON of the server.
        path: The path of requests, with a placeholder {model}.
        cells: The measurements.
        groups: The models per process; one process per group, one after the other.
        environment: The name of the Python environment; empty is the project's own.
        requirements: Requirements of the environment besides the common ones.
        many_path: The path of requests with more than one row, if it differs.
        variables: Returns additional environment variables.
        prepare: Writes the files that the server needs.
        token: The command, after `python -m`, that prints the token of the requests.
        is_constant: Whether the server has no model and always returns the same response.
    """

    name: str
    command: Command
    dialect: Dialect
    path: str
    cells: tuple[Cell, ...]
    groups: tuple[tuple[str, ...], ...]
    environment: str = ""
    requirements: tuple[str, ...] = ()
    many_path: str = ""
    variables: Callable[[Place], Mapping[str, str]] = lambda _: {}
    prepare: Callable[["Place", "Peer"], None] = lambda _, __: None
    token: str = ""
    is_constant: bool = False

    @property
    def all_requirements(self) -> list[str]:
        """The requirements of the peer, and the common ones in the versions of this environment."""
        return [*self.requirements, *(f"{name}=={version(name)}" for name in COMMON)]

    def url(self, place: Place, cell: Cell) -> str:
        """Return the URL of the requests of a cell."""
        path = self.many_path if cell.rows > 1 and self.many_path else self.path
        return f"http://127.0.0.1:{place.port}{path.format(model=cell.model)}"

    def env(self, place: Place, models: Sequence[str]) -> dict[str, str]:
        """Return the environment variables of the process."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SEPAL_", "PYTHONPATH"))}
        return {
            **kept,
            "PATH": os.pathsep.join([str(place.programs(self.environment)), os.environ["PATH"]]),
            "BENCH_MODELS": str(place.models),
            "BENCH_NAMES": ",".join(models),
            **({} if self.environment else {"PYTHONPATH": str(ROOT)}),
            **self.variables(place),
        }

    def cells_of(self, group: Sequence[str]) -> list[Cell]:
        """Return the measurements of a process with these models."""
        return [cell for cell in self.cells if cell.model in group]
