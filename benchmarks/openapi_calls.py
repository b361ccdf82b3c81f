"""
As many calls as wanted that Schemathesis makes of /openapi.json, and what was wrong with the answers.

    python -m benchmarks.openapi_calls                    at least 20,000 calls, with other seeds until there are
    python -m benchmarks.openapi_calls --calls 1000

A server of its own with the models of `--artifacts`, and a token of every scope. What is looked for is a status above
499, and a status, media type, header or body that is not described. The exit code is 1 if there was any.
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
    """Ask until there were enough calls, a line for each seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1, help="the first one (default: %(default)s)")
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts/models").absolute())
    arguments = parser.parse_args()
    made, wrong, seed, started = 0, 0, arguments.seed, time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        env = environment(artifacts=arguments.artifacts.absolute(), state=state, log_format="json", token_ttl_s=36_000)
        with Server(env) as server:
            while made < arguments.calls:
                report = call_all(server, state, examples=EXAMPLES, seed=seed, phases=("coverage", "fuzzing"))
                made += report["test_cases"]["generated"]
                wrong += len(report["failures"]) + len(report["errors"])
                for failure in report["failures"] + report["errors"]:
                    print(failure)
                print(f"seed {seed}: {made:,} calls, {wrong} wrong, {time.monotonic() - started:.0f} s", flush=True)
                seed += 1
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
