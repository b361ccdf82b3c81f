"""What one server of the comparison is: what it needs, how it is started, how it is asked, what is measured of it."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.serving.dialects import Dialect

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "benchmarks" / "peers"
# The same libraries beneath every model, and the event loop and the parser that uvicorn is quickest with.
# Beside the models: what signed them, wherever the server runs.
KEY = "signing.key"
COMMON = ("scikit-learn", "numpy", "pandas", "joblib", "uvloop", "httptools")


@dataclass(frozen=True, slots=True)
class Cell:
    """
    One figure: so many rows a request, so many requests at once.

    Attributes:
        model: Whose rows.
        rows: Rows of each request.
        concurrency: Connections that ask, each again as soon as it is answered.
    """

    model: str
    rows: int
    concurrency: int


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where the benchmark keeps what it makes, and where its servers listen.

    Attributes:
        folder: Environments, models, bodies and logs; absolute.
        port: Of every server, one after the other; MLServer takes the two that follow as well.
    """

    folder: Path
    port: int

    @property
    def models(self) -> Path:
        """Pickles, tables and the store."""
        return self.folder / "models"

    def programs(self, environment: str) -> Path:
        """Where the programs of that environment are; the project's own has no name."""
        return self.folder / "environments" / environment / "bin" if environment else Path(sys.executable).parent


Command = Callable[[Place, Path, Sequence[str]], list[str]]


@dataclass(frozen=True, slots=True)
class Peer:
    """
    One server, in its best known configuration.

    Attributes:
        name: What the tables call it.
        command: Its command line: from the place, its programs and the models that it shall serve.
        dialect: Its JSON.
        path: Where it is asked, with {model} in it.
        cells: What is measured of it.
        groups: The models that one process serves; as many processes, one after the other, as there are groups.
        environment: The name of its Python environment; empty is the project's own.
        requirements: What that environment has besides the libraries that all have.
        many_path: Where more than one row is sent, if that is another path.
        variables: Environment variables of its own.
        prepare: Makes what it wants on disk.
        token: The command, after `python -m`, that prints the token that it is asked with.
        is_constant: Whether it has no model, and answers the same to everybody.
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
        """Its own, and the libraries beneath the models in the versions of this very environment."""
        return [*self.requirements, *(f"{name}=={version(name)}" for name in COMMON)]

    def url(self, place: Place, cell: Cell) -> str:
        """Where the requests of a cell are sent."""
        path = self.many_path if cell.rows > 1 and self.many_path else self.path
        return f"http://127.0.0.1:{place.port}{path.format(model=cell.model)}"

    def env(self, place: Place, models: Sequence[str]) -> dict[str, str]:
        """The environment variables of its process."""
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
        """What is measured of a process with these models."""
        return [cell for cell in self.cells if cell.model in group]
