"""
Profile a request of the whole app in this process, in every thread.

    python -m benchmarks.profile_request
    python -m benchmarks.profile_request --model penguins --rows 1000 --requests 20

Each line is the processor time spent in one module of this project or in one package; C functions count where they are
called. The profiler makes small Python functions slower, so shares are those of the profiled time, and microseconds are
these shares of the time without the profiler. The time of uvicorn and the socket is not included;
`python -m benchmarks.serving --only "bare ASGI"` measures it.
"""

import argparse
import cProfile
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from artifacts import Store
from benchmarks.in_process import MODELS, App, body, publish_models

ROOT = Path(__file__).parent.parent
LINES = 20

Entries: TypeAlias = list[Any]


def profiled(call: Callable[[], object]) -> list[Entries]:
    """Profile a call in this thread and in threads that start meanwhile; return one list per thread."""
    profiles: list[cProfile.Profile] = []

    def join(*_: object) -> None:
        # The processor time of this thread, so that waiting for another thread costs nothing.
        profiles.append(cProfile.Profile(time.thread_time))
        profiles[-1].enable()

    threading.setprofile(join)
    join()
    call()
    profiles[0].disable()
    threading.setprofile(None)
    return [profile.getstats() for profile in profiles]


def spent(threads: list[Entries]) -> Counter[str]:
    """Return the seconds per module or package; C functions count where they were called."""
    seconds: Counter[str] = Counter()
    for entries in threads:
        for entry in entries:
            if isinstance(entry.code, str):
                continue
            called = [callee for callee in entry.calls or () if isinstance(callee.code, str)]
            seconds[_owner(entry.code.co_filename)] += entry.inlinetime + sum(callee.inlinetime for callee in called)
    return seconds


def _owner(filename: str) -> str:
    path = Path(filename)
    if path.is_relative_to(ROOT) and "site-packages" not in path.parts:
        return str(path.relative_to(ROOT))
    if "site-packages" in path.parts:
        return path.parts[path.parts.index("site-packages") + 1]
    return "the standard library" if path.is_absolute() else "generated code"


def table(spent_s: Counter[str], *, request_us: float) -> Iterator[str]:
    """Yield a Markdown table, the most expensive module first."""
    total = spent_s.total()
    shown = spent_s.most_common(LINES)
    others = total - sum(seconds for _, seconds in shown)
    yield "| where | µs | share |"
    yield "|---|---|---|"
    for name, seconds in [*shown, ("others", others)]:
        yield f"| {name} | {request_us * seconds / total:.1f} | {seconds / total:.0%} |"
    yield f"| total | {request_us:.1f} | |"


def measure(model: str, *, rows: int, requests: int) -> Iterator[str]:
    """Send requests, first without and then with the profiler."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store")
        publish_models(store)
        sent = body(store, model, rows=rows)
        with App(Path(folder), store) as app:
            app.request(model, sent, times=requests)
            began = time.process_time()
            app.request(model, sent, times=requests)
            request_us = (time.process_time() - began) / requests * 1e6
            threads = profiled(lambda: app.request(model, sent, times=requests))
    # Leave out the code that sends the requests.
    server_s = Counter({name: s for name, s in spent(threads).items() if not name.startswith("benchmarks")})
    yield from table(server_s, request_us=request_us)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.profile_request",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", choices=MODELS, default=MODELS[0], help="the model (default: %(default)s)")
    parser.add_argument("--rows", type=int, default=1, help="rows per request (default: %(default)s)")
    parser.add_argument("--requests", type=int, default=2000, help="number of requests (default: %(default)s)")
    arguments = parser.parse_args()
    for line in measure(arguments.model, rows=arguments.rows, requests=arguments.requests):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
