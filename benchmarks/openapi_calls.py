"""
Send requests that Schemathesis generates from /openapi.json, and report wrong responses.

    python -m benchmarks.openapi_calls                    at least 20,000 requests, with further seeds as needed
    python -m benchmarks.openapi_calls --calls 1000

Starts its own server with the models of `--artifacts`, and uses a token with every scope. A response is wrong if its
status is above 499, or if OpenAPI does not describe its status, media type, headers or body. Exits with 1 if there was
any.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.support.schemathesis_client import call_all
from tests.support.server import Server, environment

EXAMPLES = 500


def main() -> int:
    """Send requests until there were enough; print one line per seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1, help="the first seed (default: %(default)s)")
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts/models").absolute())
    arguments = parser.parse_args()
    sent, wrong, seed, started = 0, 0, arguments.seed, time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        env = environment(artifacts=arguments.artifacts.absolute(), state=state, log_format="json", token_ttl_s=36_000)
        with Server(env) as server:
            while sent < arguments.calls:
                report = call_all(server, state, examples=EXAMPLES, seed=seed, phases=("coverage", "fuzzing"))
                sent += report["test_cases"]["generated"]
                wrong += len(report["failures"]) + len(report["errors"])
                for failure in report["failures"] + report["errors"]:
                    print(failure)
                print(f"seed {seed}: {sent:,} requests, {wrong} wrong, {time.monotonic() - started:.0f} s", flush=True)
                seed += 1
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
