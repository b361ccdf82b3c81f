"""What happens when the server itself fails: nothing of it reaches the caller, and all of it the log."""

from collections.abc import Iterator

import httpx2
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from artifacts import Store
from serve.tabular.csv_lines import CHUNK_ROWS
from tests.server import ROOT, Api, Server, environment, slug, untraced
from train import publish

GOOD, BAD = str(ROOT / "LICENSE"), "nowhere"


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server for a model with a mistake of its own: it takes texts for the names of files."""
    folder = tmp_path_factory.mktemp("broken")
    X = [str(ROOT / name) for name in ("LICENSE", "README.md", "SECURITY.md", "CHANGELOG.md")]
    y = [False, True, True, True]
    estimator = make_pipeline(CountVectorizer(input="filename"), LogisticRegression()).fit(X, y)
    with untraced():
        publish(estimator, X, y, name="files", store=Store(folder))
    env = environment(artifacts=folder, state=tmp_path_factory.mktemp("state"), log_format="json")
    with Server(env) as running:
        yield Api(running, running.bearer())


def test_a_failure_is_told_without_its_reason(broken: Api) -> None:
    """A failure of ours is a 500 problem with the request's id and nothing more; the next request is answered."""
    failed = broken.predict([[BAD]])

    assert (failed.status_code, slug(failed)) == (500, "internal")
    assert failed.json()["instance"] == failed.headers["x-request-id"]
    assert not any(word in failed.text for word in ("Index", "bounds", "numpy", "Traceback", ".py"))
    assert broken.predict([[GOOD]]).json()["predictions"] == [False]


def test_a_failure_is_logged_with_its_reason(broken: Api) -> None:
    """The log has the traceback once, under the request's id."""
    failed = broken.predict([[BAD]])

    line = broken.server.line("request failed", failed.headers["x-request-id"])
    assert "FileNotFoundError" in line["exception"]
    assert broken.server.line('"event": "request"', failed.headers["x-request-id"])["status"] == 500
    assert "ASGI" not in broken.server.log.read_text()


def test_a_failure_in_the_first_block_has_a_status(broken: Api) -> None:
    """A CSV that fails before anything was answered is a 500 problem."""
    failed = broken.post_csv(f"text\n{GOOD}\n{BAD}\n".encode())

    assert (failed.status_code, slug(failed)) == (500, "internal")


@pytest.mark.parametrize("tail", [BAD, '"3'], ids=["the model fails", "a quote is not closed"])
def test_half_an_answer_is_never_taken_for_the_whole(broken: Api, tail: str) -> None:
    """What fails after the first block ends the connection before the last chunk: a client gets an error."""
    body = "text\n" + f"{GOOD}\n" * CHUNK_ROWS + f"{tail}\n"

    with pytest.raises(httpx2.RemoteProtocolError, match=r"incomplete|without sending complete"):
        broken.post_csv(body.encode())
    assert broken.predict([[GOOD]]).status_code == 200


def test_a_caller_who_breaks_off_is_no_failure(broken: Api) -> None:
    """A quote that is not closed is the caller's affair: one line of warning, no traceback."""
    body = "text\n" + f"{GOOD}\n" * (CHUNK_ROWS + 1) + '"3\n'

    with pytest.raises(httpx2.RemoteProtocolError):
        broken.post_csv(body.encode())

    line = broken.server.line("answer cut short", f"broken on line {CHUNK_ROWS + 3}")
    assert line["level"] == "warning"
    assert "exception" not in line
