"""
Where a request's microseconds go: the whole app in this process, profiled in every thread.

    python -m benchmarks.profile_request
    python -m benchmarks.profile_request --model penguins --rows 1000 --requests 20

Each line is the processor's time spent in the code of one module of ours or one package of others, what C functions
take counted where they are called. The profiler makes small Python functions dearer than they are, so shares are of the
profiled time, and microseconds are those shares of the time without the profiler. What uvicorn and the socket take is
not in it: `python -m benchmarks.serving --only "bare ASGI"` measures that.
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
    """What was spent where, a list a thread, in this one and in those that are started meanwhile."""
    profiles: list[cProfile.Profile] = []

    def join(*_: object) -> None:
        # The processor's time of this thread: what waits for another one costs nothing.
        profiles.append(cProfile.Profile(time.thread_time))
        profiles[-1].enable()

    threading.setprofile(join)
    join()
    call()
    profiles[0].disable()
    threading.setprofile(None)
    return [profile.getstats() for profile in profiles]


def spent(threads: list[Entries]) -> Counter[str]:
    """Seconds by module or package; C functions count where they were called."""
    found: Counter[str] = Counter()
    for entries in threads:
        for entry in entries:
            if isinstance(entry.code, str):
                continue
            called = [callee for callee in entry.calls or () if isinstance(callee.code, str)]
            found[_owner(entry.code.co_filename)] += entry.inlinetime + sum(callee.inlinetime for callee in called)
    return found


def _owner(filename: str) -> str:
    path = Path(filename)
    if path.is_relative_to(ROOT) and "site-packages" not in path.parts:
        return str(path.relative_to(ROOT))
    if "site-packages" in path.parts:
        return path.parts[path.parts.index("site-packages") + 1]
    return "the standard library" if path.is_absolute() else "generated code"


def table(found: Counter[str], *, request_us: float) -> Iterator[str]:
    """As Markdown, the dearest first."""
    total = found.total()
    shown = found.most_common(LINES)
    others = total - sum(seconds for _, seconds in shown)
    yield "| where | µs | share |"
    yield "|---|---|---|"
    for name, seconds in [*shown, ("others", others)]:
        yield f"| {name} | {request_us * seconds / total:.1f} | {seconds / total:.0%} |"
    yield f"| together | {request_us:.1f} | |"


def measure(model: str, *, rows: int, requests: int) -> Iterator[str]:
    """Ask, first without and then with the profiler."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store")
        publish_models(store)
        sent = body(store, model, rows=rows)
        with App(Path(folder), store) as app:
            app.ask(model, sent, times=requests)
            began = time.process_time()
            app.ask(model, sent, times=requests)
            request_us = (time.process_time() - began) / requests * 1e6
            threads = profiled(lambda: app.ask(model, sent, times=requests))
    found = spent(threads)
    # What asks is not the server's.
    found = Counter({name: seconds for name, seconds in found.items() if not name.startswith("benchmarks")})
    yield from table(found, request_us=request_us)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.profile_request",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", choices=MODELS, default=MODELS[0], help="whose rows (default: %(default)s)")
    parser.add_argument("--rows", type=int, default=1, help="rows of a request (default: %(default)s)")
    parser.add_argument("--requests", type=int, default=2000, help="how many are asked (default: %(default)s)")
    arguments = parser.parse_args()
    for line in measure(arguments.model, rows=arguments.rows, requests=arguments.requests):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
