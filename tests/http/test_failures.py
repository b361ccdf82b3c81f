"""Failures of the server: the log has the reason, and the response does not."""

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
# More than fits into memory.
LARGE = (HEAD + LINE * 100_000).encode()


@pytest.fixture(scope="module")
def broken(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Run a server whose folder for temporary files was removed: bodies too large for memory cannot be received."""
    folder = tmp_path_factory.mktemp("temporary")
    env = environment(artifacts=store, state=tmp_path_factory.mktemp("state"), log_format="json")
    with Server({**env, "TMPDIR": str(folder)}) as running:
        api = Api(running, running.bearer())
        # Python chooses the folder with the first temporary file.
        assert api.post_csv(LARGE).status_code == 200
        shutil.rmtree(folder)
        yield api


def test_the_response_has_no_reason_of_a_failure(broken: Api) -> None:
    """It is a 500 problem with the request id and nothing more; the next request is answered."""
    failed = broken.post_csv(LARGE)

    assert (failed.status_code, slug(failed)) == (500, "internal")
    assert failed.json()["instance"] == failed.headers["x-request-id"]
    assert not any(word in failed.text for word in ("File", "directory", os.sep + "tmp", "Traceback", ".py"))
    assert broken.predict([ROW]).json()["predictions"] == ["setosa"]


def test_the_log_has_the_reason_of_a_failure(broken: Api) -> None:
    """The traceback is logged once, with the request id."""
    failed = broken.post_csv(LARGE)

    line = broken.server.line("request failed", failed.headers["x-request-id"])
    assert "FileNotFoundError" in line["exception"]
    assert broken.server.line('"event": "request"', failed.headers["x-request-id"])["status"] == 500
    assert "ASGI" not in broken.server.log.read_text()


def test_a_client_detects_an_incomplete_response(broken: Api) -> None:
    """A failure after the first block closes the connection before the last chunk, which is an error for a client."""
    body = HEAD + LINE * CHUNK_ROWS + '"3\n'

    with pytest.raises(httpx2.RemoteProtocolError, match=r"incomplete|without sending complete"):
        broken.post_csv(body.encode())
    assert broken.predict([ROW]).status_code == 200


def test_a_mistake_in_a_later_block_is_a_warning(broken: Api) -> None:
    """A quote that is not closed is the client's mistake: a warning without a traceback is logged."""
    body = HEAD + LINE * (CHUNK_ROWS + 1) + '"3\n'

    with pytest.raises(httpx2.RemoteProtocolError):
        broken.post_csv(body.encode())

    line = broken.server.line("answer cut short", f"broken on line {CHUNK_ROWS + 3}")
    assert line["level"] == "warning"
    assert "exception" not in line
