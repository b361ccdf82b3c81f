"""What happens when the server itself fails: nothing of it reaches the caller, and all of it the log."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from serve.dialects.csv.lines import CHUNK_ROWS
from tests.support.server import Api, Server, environment, slug

HEAD = "sepal_length,sepal_width,petal_length,petal_width\n"
LINE = "5.1,3.5,1.4,0.2\n"
ROW = [5.1, 3.5, 1.4, 0.2]
# More than is kept in memory.
LARGE = (HEAD + LINE * 100_000).encode()


@pytest.fixture(scope="module")
def broken(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server whose folder for temporary files was removed: what is too large for memory cannot be received."""
    folder = tmp_path_factory.mktemp("temporary")
    env = environment(artifacts=store, state=tmp_path_factory.mktemp("state"), log_format="json")
    with Server({**env, "TMPDIR": str(folder)}) as running:
        api = Api(running, running.bearer())
        # Where files go is decided with the first of them.
        assert api.post_csv(LARGE).status_code == 200
        shutil.rmtree(folder)
        yield api


def test_a_failure_is_told_without_its_reason(broken: Api) -> None:
    """A failure of ours is a 500 problem with the request's id and nothing more; the next request is answered."""
    failed = broken.post_csv(LARGE)

    assert (failed.status_code, slug(failed)) == (500, "internal")
    assert failed.json()["instance"] == failed.headers["x-request-id"]
    assert not any(word in failed.text for word in ("File", "directory", os.sep + "tmp", "Traceback", ".py"))
    assert broken.predict([ROW]).json()["predictions"] == ["setosa"]


def test_a_failure_is_logged_with_its_reason(broken: Api) -> None:
    """The log has the traceback once, under the request's id."""
    failed = broken.post_csv(LARGE)

    line = broken.server.line("request failed", failed.headers["x-request-id"])
    assert "FileNotFoundError" in line["exception"]
    assert broken.server.line('"event": "request"', failed.headers["x-request-id"])["status"] == 500
    assert "ASGI" not in broken.server.log.read_text()


def test_half_an_answer_is_never_taken_for_the_whole(broken: Api) -> None:
    """What fails after the first block ends the connection before the last chunk: a client gets an error."""
    body = HEAD + LINE * CHUNK_ROWS + '"3\n'

    with pytest.raises(httpx2.RemoteProtocolError, match=r"incomplete|without sending complete"):
        broken.post_csv(body.encode())
    assert broken.predict([ROW]).status_code == 200


def test_a_caller_who_breaks_off_is_no_failure(broken: Api) -> None:
    """A quote that is not closed is the caller's affair: one line of warning, no traceback."""
    body = HEAD + LINE * (CHUNK_ROWS + 1) + '"3\n'

    with pytest.raises(httpx2.RemoteProtocolError):
        broken.post_csv(body.encode())

    line = broken.server.line("answer cut short", f"broken on line {CHUNK_ROWS + 3}")
    assert line["level"] == "warning"
    assert "exception" not in line
