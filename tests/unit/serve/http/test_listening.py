"""Threads and open files of the server's processes."""

import os
import subprocess
import sys

import pytest

from tests.support.server import ROOT


@pytest.mark.parametrize(("wanted", "workers"), [(1, 1), (64, 1), (64, 2), (64, 1000)])
def test_threads_of_a_model_call_are_limited(wanted: int, workers: int) -> None:
    """Libraries that are loaded now or later get the number of threads, at most the cores divided by the workers."""
    code = f"""
import numpy
from serve.http.listening import limit_threads
limit_threads({wanted}, workers={workers})
import scipy.linalg
from threadpoolctl import threadpool_info
import os
variables = os.environ["OMP_NUM_THREADS"], os.environ["MKL_NUM_THREADS"]
print({{pool["num_threads"] for pool in threadpool_info()}}, *variables)
"""
    env = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    expected = max(1, min(wanted, len(os.sched_getaffinity(0)) // workers))

    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)

    assert ended.stdout.split() == [f"{{{expected}}}", str(expected), str(expected)]


def test_a_number_of_threads_in_the_environment_wins() -> None:
    """OMP_NUM_THREADS and OPENBLAS_NUM_THREADS are not overwritten."""
    code = """
import os
import numpy
from serve.http.listening import limit_threads
from threadpoolctl import threadpool_info
limit_threads(1, workers=1)
print({pool["num_threads"] for pool in threadpool_info()}, os.environ["OMP_NUM_THREADS"], os.environ["MKL_NUM_THREADS"])
"""
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}

    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)

    assert ended.stdout.split()[1:] == ["2", "1"]
    assert ended.stdout.split()[0] == f"{{{min(2, os.cpu_count() or 1)}}}"


@pytest.mark.parametrize(("hard", "connections", "expected"), [(4096, 1000, 2256), (1000, 1000, 1000), (4096, 10, 300)])
def test_the_limit_of_open_files_fits_the_connections(hard: int, connections: int, expected: int) -> None:
    """A low limit of open files is raised, as far as the system permits, and never lowered."""
    code = f"""
import resource
from serve.http.listening import allow_files
resource.setrlimit(resource.RLIMIT_NOFILE, (300, {hard}))
allow_files({connections})
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""

    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert int(ended.stdout) == expected
