"""
Check that the time of a login does not reveal which users exist.

Tries a known, an unknown and a disabled name 300 times each, interleaved. Starts its own server, with limits that are
never reached, and exits with 1 if two medians differ by 5 % or more.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx2

from serve.auth.passwords import Passwords
from serve.auth.principals import Permission
from serve.auth.security_store import SecurityStore
from serve.storage.database import connect, prepare
from tests.support.server import Server, environment

LARGEST_DIFFERENCE = 0.05
KINDS = ("known", "unknown", "disabled")


def main() -> int:
    """Measure and print; return 1 if the difference is too large."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=300, help="trials of each kind (default: %(default)s)")
    trials = parser.parse_args().trials
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        _add_users(f"sqlite:///{state / 'sepal.db'}")
        env = environment(state=state, artifacts=state / "none", log_format="json", lockout="1000000/15minutes")
        with Server(env) as server:
            medians = _measure(server.client, trials)
    for kind, median in medians.items():
        print(f"{kind:9} {median * 1000:7.2f} ms")
    difference = max(medians.values()) / min(medians.values()) - 1
    print(f"largest difference of the medians: {difference:.1%}")
    return int(difference >= LARGEST_DIFFERENCE)


def _add_users(url: str) -> None:
    prepare(url)
    engine = connect(url)
    user_admin = SecurityStore(engine, audit_days=0).user_admin("benchmark")
    hashed = Passwords().hash("correct horse battery")
    for name in ("known", "disabled"):
        user_admin.add(name, password_hash=hashed, permissions=[Permission.PREDICT])
    user_admin.disable("disabled")
    engine.dispose()


def _measure(client: httpx2.Client, trials: int) -> dict[str, float]:
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for _ in range(trials + 5):
        for kind in KINDS:
            name = kind
            began = time.perf_counter()
            answer = client.post("/api/v1/token", data={"username": name, "password": "wrong horse battery"})
            times[kind].append(time.perf_counter() - began)
            assert answer.status_code == 401, answer.text
    # The first ones are warm-up.
    return {kind: statistics.median(seconds[5:]) for kind, seconds in times.items()}


if __name__ == "__main__":
    sys.exit(main())
