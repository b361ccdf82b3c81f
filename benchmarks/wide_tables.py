"""
Measure the cost of publishing a table of few rows and many columns.

    python -m benchmarks.wide_tables
    python -m benchmarks.wide_tables --columns 1000

Seconds are the processor time of `publish()` and of the processes that it starts; memory is the peak of the whole
process, including its imports.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
ROWS = 60
SIZES = (100, 1_000, 10_000)


def measure(columns: int) -> dict[str, Any]:
    """Publish a table in a fresh process and an empty store; return its cost, and the programs that were admitted."""
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.wide_tables", "--publish", str(columns)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            cwd=ROOT,
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith("SEPAL_")},
                "SEPAL_ARTIFACTS": f"{home}/models",
                "SEPAL_SIGNING_KEY": f"{home}/signing.key",
            },
        )
    cost: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return cost


def publish(columns: int) -> dict[str, Any]:
    """Publish in this process, which has nothing else in its memory."""
    import numpy as np
    import pandas as pd
    from threadpoolctl import threadpool_limits

    import train
    from train.defaults import pipeline

    names = [f"c{place}" for place in range(columns)]
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(ROWS, columns)), columns=names)
    y = (X["c0"] > 0).map({True: "yes", False: "no"})
    with threadpool_limits(1):
        estimator = pipeline("classification", X).fit(X, y)
        before = _seconds()
        manifest = train.publish(estimator, X, y, name="wide")
        seconds = _seconds() - before
    assert manifest.execution
    return {
        "seconds": seconds,
        "mib": _peak_kib() / 1024,
        "executed": [[each.name, each.refused, each.disagreements] for each in manifest.execution.candidates],
    }


def _seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _peak_kib() -> int:
    # Not ru_maxrss, which a process inherits from its parent.
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1])


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.wide_tables",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--columns", type=int, nargs="+", default=SIZES, help="numbers of columns (default: %(default)s)"
    )
    parser.add_argument("--publish", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.publish:
        print(json.dumps(publish(arguments.publish)))
        return 0
    print(f"| columns of {ROWS} rows | seconds of CPU | MiB |\n|---|---|---|", flush=True)
    for columns in arguments.columns:
        cost = measure(columns)
        print(f"| {columns:,} | {cost['seconds']:.1f} | {cost['mib']:.0f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
