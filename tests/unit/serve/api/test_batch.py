"""Predictions for a CSV, in an app without a server."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import httpx2
import numpy as np
import pytest
from starlette.requests import ClientDisconnect
from structlog.testing import capture_logs

from artifacts import Store
from serve.api import batch
from serve.api.batch import _Answer, _Upload, receive
from serve.api.context import RequestContext
from serve.api.deps import PREFIX
from serve.api.media import CSV, NDJSON
from serve.auth.principals import Permission
from serve.errors import DeadlineExceeded
from serve.inference.loader import load_model
from serve.inference.registry import ServedModel
from tests.support import tiny_models
from tests.support.gated_model import Gate
from tests.support.in_process import InProcess, served
from tests.support.server import slug

HEADER = b"length,leaves\n"
ROWS = HEADER + b"0.5,1\nx,2\n6,9\n"
# A block has at most 10,000 rows.
BLOCK = b"0.5,1\n" * 10_000


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ServedModel:
    """A loaded model of two columns."""
    store = Store(tmp_path_factory.mktemp("store"))
    tiny_models.make().publish(store)
    return load_model(store, "tiny", tiny_models.LIMITS)


async def post(app: InProcess, content: bytes = ROWS, path: str = "/predict/csv", **more: Any) -> httpx2.Response:
    """Upload a CSV with the scope that it needs."""
    headers = {"Content-Type": CSV, **more.pop("headers", {})}
    return await app.call("POST", path, app.token(Permission.BATCH), content=content, headers=headers, **more)


@pytest.mark.parametrize("path", ["/predict/csv", "/models/tiny/predict/csv?version=1"])
def test_every_row_has_its_prediction_or_its_fault(tmp_path: Path, tiny: ServedModel, path: str) -> None:
    """The rows come back in order, with their cells as they were sent."""
    answer = served(tmp_path, lambda app: post(app, path=path), tiny)

    header, *lines = answer.text.splitlines()
    assert answer.headers["content-type"].startswith(CSV)
    assert header.startswith("length,leaves,prediction")
    assert [line.split(",")[:3] for line in lines] == [["0.5", "1", "short"], ["x", "2", ""], ["6", "9", "long"]]
    assert "line 3: length: " in lines[1]


def test_a_client_may_prefer_json_lines(tmp_path: Path, tiny: ServedModel) -> None:
    """Each line is an object with the names of the columns."""
    answer = served(tmp_path, lambda app: post(app, headers={"Accept": NDJSON}), tiny)

    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert answer.headers["content-type"].startswith(NDJSON)
    assert [row["prediction"] for row in rows] == ["short", None, "long"]


def test_a_file_of_a_form_is_a_csv_too(tmp_path: Path, tiny: ServedModel) -> None:
    """As browsers and curl -F send it."""

    async def test(app: InProcess) -> httpx2.Response:
        token = app.token(Permission.BATCH)
        return await app.call("POST", "/predict/csv", token, files={"file": ("a.csv", ROWS)})

    assert served(tmp_path, test, tiny).text.count("\n") >= 3


@pytest.mark.parametrize(
    ("content", "path", "headers", "status"),
    [
        (b"a,b\n1,2\n", "/predict/csv", {}, 422),
        (HEADER, "/predict/csv", {}, 422),
        (ROWS, "/models/other/predict/csv", {}, 404),
        (ROWS, "/predict/csv?version=2", {}, 404),
        (ROWS, "/predict/csv?verison=1", {}, 422),
        (ROWS, "/predict/csv", {"Content-Type": "text/plain"}, 415),
    ],
)
def test_an_upload_that_cannot_be_predicted_gets_an_error(
    tmp_path: Path, tiny: ServedModel, content: bytes, path: str, headers: dict[str, str], status: int
) -> None:
    """The status is sent after the first block was read."""
    answer = served(tmp_path, lambda app: post(app, content, path, headers=headers), tiny)

    assert (answer.status_code, bool(slug(answer))) == (status, True)


def test_http_1_0_is_too_old_for_a_stream(tmp_path: Path, tiny: ServedModel) -> None:
    """Its client could not distinguish a partial response from a complete one."""

    async def test(app: InProcess) -> httpx2.Response:
        async def old(scope: Any, receive: Any, send: Any) -> None:
            await app.asgi({**scope, "http_version": "1.0"}, receive, send)

        headers = {"Authorization": f"Bearer {app.token()}", "Content-Type": CSV}
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=old), base_url="http://sepal") as client:
            return await client.post(f"{PREFIX}/predict/csv", content=ROWS, headers=headers)

    answer = served(tmp_path, test, tiny)

    assert (answer.status_code, slug(answer)) == (426, "http-too-old")


def test_an_upload_that_begins_within_the_quota_of_rows_is_finished(tmp_path: Path, tiny: ServedModel) -> None:
    """The next one is refused; its headers name the limit of rows."""

    async def test(app: InProcess) -> list[int]:
        answers = [await post(app, HEADER + BLOCK + BLOCK), await post(app)]
        assert answers[0].text.count(",short,") == 20_000
        assert '"rows";r=0;' in answers[1].headers["ratelimit"]
        return [answer.status_code for answer in answers]

    assert served(tmp_path, test, tiny, rates="rows=15000/hour") == [200, 429]


def test_every_row_of_the_first_block_is_counted(tmp_path: Path, tiny: ServedModel) -> None:
    """An invalid one too; the headers have what is left."""

    async def test(app: InProcess) -> str:
        return (await post(app)).headers["ratelimit"]

    assert '"rows";r=7;' in served(tmp_path, test, tiny, rates="rows=10/hour")


@pytest.mark.parametrize(("device", "mode", "status"), [("/dev/full", "wb", 507), ("/dev/null", "rb", 500)])
def test_a_body_that_cannot_be_written_is_an_error(
    tmp_path: Path, tiny: ServedModel, monkeypatch: pytest.MonkeyPatch, device: str, mode: str, status: int
) -> None:
    """A full disk is reported as such, and any other failure is an internal error; the file is closed."""
    with Path(device).open(mode, buffering=0) as file, capture_logs():
        monkeypatch.setattr(batch, "SpooledTemporaryFile", lambda _: file)

        assert served(tmp_path, post, tiny).status_code == status
        assert file.closed


@pytest.mark.parametrize("error", [OSError, ClientDisconnect])
def test_a_body_that_does_not_arrive_closes_the_file(error: type[Exception]) -> None:
    """The error is that of the connection."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"
        raise error

    file = io.BytesIO()
    with pytest.raises(error):
        asyncio.run(receive(pieces(), file))

    assert file.closed


def test_a_full_disk_closes_the_file() -> None:
    """A body that does not fit on the disk is closed, and the error is returned."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"

    with Path("/dev/full").open("wb", buffering=0) as full:
        with pytest.raises(OSError, match="No space left"):
            asyncio.run(receive(pieces(), cast(BinaryIO, full)))

        assert full.closed


@pytest.mark.parametrize("is_connected", [True, False])
def test_the_upload_is_closed_with_its_answer(is_connected: bool) -> None:
    """It does not matter whether the client reads to the end."""

    async def content() -> AsyncIterator[bytes]:
        yield b"a"

    async def send(_message: Any) -> None:
        if not is_connected:
            raise OSError

    async def answer() -> None:
        scope = {"type": "http", "asgi": {"spec_version": "2.4"}}
        try:
            await _Answer(content(), CSV, file)(scope, cast(Any, None), send)
        except ClientDisconnect:
            assert not is_connected

    file = io.BytesIO()
    asyncio.run(answer())

    assert file.closed


def test_without_a_free_thread_the_first_block_is_504(tmp_path: Path, tiny: ServedModel) -> None:
    """No part of the response has been sent."""

    async def test(app: InProcess) -> tuple[int, str]:
        threads = app.services.threads
        slots = [await threads.acquire("tiny") for _ in range(threads.threads)]
        threads.deadline_s = 0.01
        answer = await post(app)
        for slot in slots:
            slot.release()
        return answer.status_code, slug(answer)

    assert served(tmp_path, test, tiny) == (504, "deadline-exceeded")


def upload(app: InProcess, model: ServedModel, blocks: int) -> _Upload:
    """Return an upload of so many blocks and one row."""
    file, context = io.BytesIO(HEADER + BLOCK * blocks + b"6,9\n"), RequestContext("r", caller="ada")
    loaded = model.champion
    assert loaded is not None
    return _Upload(app.services, loaded, file, CSV, meter=None, context=context)


def test_later_blocks_become_error_rows_without_a_free_thread(tmp_path: Path, tiny: ServedModel) -> None:
    """The response goes on, and the last block, for which there is a thread again, has its predictions."""

    async def test(app: InProcess) -> list[bytes]:
        threads = app.services.threads
        sent = upload(app, tiny, 2)
        blocks = [await sent.first()]
        slots = [await threads.acquire("tiny") for _ in range(threads.threads)]
        sent._wait_s = 0.01
        blocks.append(await sent.next())
        for slot in slots:
            slot.release()
        return [*blocks, await sent.next(), await sent.next()]

    first, second, third, end = served(tmp_path, test, tiny)

    assert (first.count(b",short,"), first.count(b"took too long")) == (10_000, 0)
    assert (second.count(b",short,"), second.count(b"took too long")) == (0, 10_000)
    assert third.strip().startswith(b"6,9,long")
    assert end == b""


def test_a_block_whose_model_takes_too_long_becomes_error_rows(tmp_path: Path) -> None:
    """The call of the model is not waited for."""
    gate, store = Gate(tmp_path), Store(tmp_path / "store")
    gate.publish(store)
    gated = load_model(store, "gated", tiny_models.LIMITS)

    async def test(app: InProcess) -> bytes:
        sent = upload(app, gated, 1)
        await sent.first()
        app.services.threads.deadline_s = 0.3
        with gate.closed():
            return await sent.next()

    assert served(tmp_path, test, gated).count(b"took too long") == 1


def test_a_block_that_is_still_being_read_cannot_be_written(tmp_path: Path, tiny: ServedModel) -> None:
    """There are no rows yet that could become error rows."""

    async def test(app: InProcess) -> None:
        sent = upload(app, tiny, 1)
        with pytest.raises(DeadlineExceeded):
            sent._write(cast(Any, np.zeros))

    served(tmp_path, test, tiny)
