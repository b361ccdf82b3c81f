"""
Score a CSV of five million flowers over HTTP and in process, each on one core.

    python -m benchmarks.csv_speed                    5,000,000 rows, three rounds
    python -m benchmarks.csv_speed --rows 500000      fewer

Three contestants take turns: the server on core 0 with its client on core 1; pyarrow on core 0, which reads, predicts
and writes block by block in one process; pandas on core 0, which does the same with the whole table. All use the same
scaler and logistic regression: the server its artifact, the others the same arithmetic in NumPy, which is faster than
the estimator. Each response must have as many rows as the request, and the sampled rows must have the label and the
probabilities of the estimator. The server also writes the four columns of the request, the others only the new ones.
"""

import argparse
import csv
import http.client
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray

from artifacts import Store
from tests.support.server import ROOT, Server, environment
from train import publish
from train.recipes.iris import RECIPE

SERVER_CORE, CLIENT_CORE = 0, 1
WRITTEN_ROWS = 250_000
CHECKED_EVERY = 9_973
MIB = 2**20
CSV = "text/csv"

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Flowers:
    """The table and the published estimator."""

    path: Path
    rows: int
    names: list[str]
    estimator: Any

    @classmethod
    def write(cls, folder: Path, rows: int) -> "Flowers":
        """Write random flowers around the means of the real ones, with five decimals."""
        X, y = RECIPE.load()
        path, draw = folder / "flowers.csv", np.random.default_rng(0)
        means, deviations = X.mean().to_numpy(), X.std().to_numpy()
        with arrow_csv.CSVWriter(path, _schema(X.columns)) as writer:
            for start in range(0, rows, WRITTEN_ROWS):
                size = (min(WRITTEN_ROWS, rows - start), len(means))
                drawn = np.round(draw.normal(means, deviations, size), 5)
                writer.write_batch(pa.record_batch(list(drawn.T.copy()), schema=_schema(X.columns)))
        return cls(path, rows, list(X.columns), RECIPE.estimator().fit(X.to_numpy(), y))

    def check(self, answer: Path, labels: list[str]) -> None:
        """Exit if a row is missing, or if a sampled row differs from the estimator's prediction."""
        compared = 0
        with self.path.open() as sent, answer.open() as received:
            names = next(csv.reader([next(received)]))
            next(sent)
            for row, (line, answered) in enumerate(itertools.zip_longest(sent, received)):
                if line is None or answered is None:
                    raise SystemExit(f"{answer.name}: rows are missing or surplus from row {row}")
                if row % CHECKED_EVERY == 0:
                    self._compare(line, dict(zip(names, next(csv.reader([answered])), strict=True)), labels)
                    compared += 1
        print(f"    {answer.name}: {row + 1:,} rows, {compared:,} of them compared", file=sys.stderr)

    def _compare(self, line: str, answered: Mapping[str, str], labels: list[str]) -> None:
        sent = np.array([[float(cell) for cell in line.split(",")]])
        [spread] = self.estimator.predict_proba(sent)
        received = [float(text) for name, text in answered.items() if name.startswith("probability_")]
        if answered["prediction"] != labels[int(spread.argmax())] or not np.allclose(
            received, spread, atol=1e-9, rtol=0
        ):
            raise SystemExit(f"{line!r} was answered {answered}")


def _schema(names: Any) -> pa.Schema:
    return pa.schema([(name, pa.float64()) for name in names])


def replay(estimator: Any) -> Callable[[Matrix], Matrix]:
    """Return the arithmetic of the scaler and the regression, without their checks."""
    scaler, regression = estimator[0], estimator[-1]

    def predict(X: Matrix) -> Matrix:
        scores: Matrix = ((X - scaler.mean_) / scaler.scale_) @ regression.coef_.T + regression.intercept_
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        return scores

    return predict


def with_pyarrow(source: Path, target: Path, predict: Callable[[Matrix], Matrix]) -> None:
    """Read, predict and write block by block."""
    pa.set_cpu_count(1)
    names = list(pd.read_csv(source, nrows=0).columns)
    types = arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float64()))
    read = arrow_csv.ReadOptions(block_size=4 * MIB, use_threads=False)
    schema = pa.schema([("prediction", pa.int64()), *((f"probability_{place}", pa.float64()) for place in range(3))])
    options = arrow_csv.WriteOptions(quoting_style="none", batch_size=65_536)
    with arrow_csv.CSVWriter(target, schema, write_options=options) as writer:
        for batch in arrow_csv.open_csv(source, read, convert_options=types):
            spread = predict(np.column_stack([column.to_numpy() for column in batch.columns]))
            columns = [spread.argmax(axis=1), *spread.T.copy()]
            writer.write_batch(pa.record_batch([pa.array(column) for column in columns], schema=schema))


def with_pandas(source: Path, target: Path, predict: Callable[[Matrix], Matrix]) -> None:
    """Read, predict and write the whole table."""
    spread = predict(pd.read_csv(source).to_numpy())
    answer = pd.DataFrame(spread, columns=[f"probability_{place}" for place in range(3)])
    answer.insert(0, "prediction", spread.argmax(axis=1))
    answer.to_csv(target, index=False)


PEERS = {"pyarrow": with_pyarrow, "pandas": with_pandas}


def peer(name: str, source: Path, target: Path) -> None:
    """Score in this process, and print the seconds without imports and fitting."""
    X, y = RECIPE.load()
    predict = replay(RECIPE.estimator().fit(X.to_numpy(), y))
    began = time.perf_counter()
    PEERS[name](source, target, predict)
    print(time.perf_counter() - began)


def by_peer(name: str, flowers: Flowers, target: Path) -> float:
    """Return the seconds that a peer takes in a separate process, on the server's core."""
    arguments = [sys.executable, "-m", "benchmarks.csv_speed", "--peer", name, str(flowers.path), str(target)]
    done = subprocess.run(  # noqa: S603  # this script
        _pinned(arguments, SERVER_CORE), check=True, cwd=ROOT, capture_output=True, text=True
    )
    return float(done.stdout)


def over_http(server: Server, flowers: Flowers, target: Path, accept: str) -> float:
    """Return the seconds from the first byte sent to the last byte received."""
    headers = {
        **server.bearer("batch"),
        "Content-Type": "text/csv",
        "Content-Length": str(flowers.path.stat().st_size),
        "Accept": accept,
    }
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600, blocksize=MIB)
    with flowers.path.open("rb") as file, target.open("wb") as out:
        began = time.perf_counter()
        connection.request("POST", "/api/v1/models/iris/predict/csv", file, headers)
        answer = connection.getresponse()
        if answer.status != http.HTTPStatus.OK:
            raise SystemExit(f"{answer.status}: {answer.read(300)!r}")
        shutil.copyfileobj(answer, out, MIB)
        took = time.perf_counter() - began
    connection.close()
    return took


def _pinned(arguments: list[str], core: int) -> list[str]:
    return ["taskset", "--cpu-list", str(core), *arguments]


def _pin(pid: int, core: int) -> None:
    """Move every thread of a process, and so its future threads, to one core."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def rounds(server: Server, flowers: Flowers, folder: Path, count: int, accept: str) -> Iterator[tuple[str, float]]:
    """Run all contestants in turn, so that other load affects them equally; check each first response."""
    labels = {"sepal": list(RECIPE.labels or ()), **{name: ["0", "1", "2"] for name in PEERS}}
    for number in range(count):
        for name, expected in labels.items():
            target = folder / f"{name}.csv"
            is_ours = name == "sepal"
            yield name, over_http(server, flowers, target, accept) if is_ours else by_peer(name, flowers, target)
            if number == 0 and (accept == CSV or not is_ours):
                flowers.check(target, expected)


def measure(arguments: argparse.Namespace, folder: Path) -> None:
    """Write the flowers, start the server, run the rounds, and print the medians."""
    flowers = Flowers.write(folder, arguments.rows)
    store = Store(folder / "store")
    X, y = RECIPE.load()
    publish(RECIPE.estimator().fit(X, y), X, y, name="iris", labels=RECIPE.labels, store=store)
    size = flowers.path.stat().st_size
    state = folder / "state"
    env = environment(artifacts=store.root, state=state, max_csv_bytes=max(size, 64 * MIB), log_format="json")
    took: dict[str, list[float]] = {}
    os.sched_setaffinity(0, {CLIENT_CORE})
    with Server(env) as server:
        _pin(server.worker, SERVER_CORE)
        idle, cpu_s = server.memory_mib(), server.cpu_s
        for name, seconds in rounds(server, flowers, folder, arguments.rounds, arguments.accept):
            took.setdefault(name, []).append(seconds)
            print(f"    {name}: {seconds:.2f} s, {flowers.rows / seconds:,.0f} rows/s", file=sys.stderr)
        busy = (server.cpu_s - cpu_s) / sum(took["sepal"])
        peak = server.memory_mib(peak=True)
    medians = {name: flowers.rows / statistics.median(seconds) for name, seconds in took.items()}
    print(f"{flowers.rows:,} rows, {size / MIB:.0f} MiB, {arguments.rounds} rounds, medians")
    for name, rate in medians.items():
        ratios = [f"{rate / medians[peer]:6.2f} x {peer}" for peer in PEERS]
        print(f"{name:8} {rate:12,.0f} rows/s", *ratios)
    print(f"memory of the server: {idle} MiB idle, {peak} MiB peak; its core was busy {busy:.0%} of the time")


def main() -> None:
    """Measure and print, or run as one of the peers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000, help="rows of the table (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default: %(default)s)")
    parser.add_argument("--accept", default=CSV, help="media type of the response (default: %(default)s)")
    parser.add_argument("--peer", nargs=3, metavar=("NAME", "FILE", "ANSWER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        name, source, target = arguments.peer
        peer(name, Path(source), Path(target))
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(arguments, Path(folder))


if __name__ == "__main__":
    main()
