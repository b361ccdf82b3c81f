"""Publishing a table of few rows and many columns costs little, and no more a column the more there are."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_PUBLISH = """
import json, resource, sys
import numpy as np, pandas as pd
from threadpoolctl import threadpool_limits
from train import publish
from train.defaults import pipeline

def seconds():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)

columns = int(sys.argv[1])
X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, columns)), columns=[f"c{place}" for place in range(columns)])
y = (X["c0"] > 0).map({True: "yes", False: "no"})
with threadpool_limits(1):
    estimator = pipeline("classification", X).fit(X, y)
    before = seconds()
    manifest = publish(estimator, X, y, name="wide")
    after = seconds()
told = {"seconds": after - before, "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
told["executed"] = [[each.name, each.refused, each.disagreements] for each in manifest.execution.candidates]
print(json.dumps(told))
"""
_ATTEMPTS = 3


def _published(columns: int, home: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", _PUBLISH, str(columns)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={
            "PATH": "",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "SEPAL_ARTIFACTS": str(home / "models"),
            "SEPAL_SIGNING_KEY": str(home / "signing.key"),
            "SEPAL_ENVIRONMENT": "development",
        },
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_a_thousand_columns_are_published_in_five_seconds_and_half_a_gibibyte(tmp_path: Path) -> None:
    """CPU time of the call and of its child; memory of the whole process. A busy machine gets further attempts."""
    told = [_published(1_000, tmp_path)]
    while told[-1]["seconds"] > 5 and len(told) < _ATTEMPTS:
        told.append(_published(1_000, tmp_path))

    assert min(each["seconds"] for each in told) <= 5
    assert min(each["mib"] for each in told) <= 512
    assert told[0]["executed"] == [["sklearn", "", 0], ["trees", "", 0], ["treelite", "", 0]]
