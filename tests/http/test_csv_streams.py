"""Memory and files of CSV uploads and responses, with clients that read slowly or disconnect."""

import json
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from serve.dialects.csv.records import BLOCK_ROWS
from tests.conftest import WIDTH
from tests.support.bodies import HEADER, LINE, column, records, table
from tests.support.server import Api

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the memory and files of a process")

NDJSON = "application/x-ndjson"
WIDE = "/api/v1/models/wide/predict/csv"
TIMEOUT_S = 20.0


def _spools(api: Api) -> int:
    """Return the number of deleted temporary files that the server has open."""
    found = 0
    for path in Path(f"/proc/{api.server.worker}/fd").iterdir():
        # One that was closed meanwhile is not open.
        with suppress(FileNotFoundError):
            found += str(path.readlink()).endswith(" (deleted)")
    return found


def _await(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def _sent(api: Api, body: bytes, *, kind: str = "text/csv", length: int | None = None) -> Iterator[socket.socket]:
    """Open a connection that sends a request and does not read the response."""
    head = {**api.headers, "Host": "x", "Accept": NDJSON, "Content-Type": kind, "Content-Length": length or len(body)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", api.server.port))
        connection.sendall(f"POST /api/v1/predict/csv HTTP/1.1\r\n{lines}\r\n".encode() + body)
        yield connection


def _predicted(api: Api) -> float:
    lines = api.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("sepal_predictions_total{"))


@pytest.mark.parametrize("start", [b"", b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'])
def test_an_upload_that_breaks_off_leaves_nothing(api: Api, start: bytes) -> None:
    """The spooled file is deleted if the client disconnects during a large upload, or during the file of a form."""
    kind = "multipart/form-data; boundary=x" if start else "text/csv"

    with _sent(api, start + table(*[LINE] * 200_000), kind=kind, length=2**25):
        _await(lambda: _spools(api) == 1)

    _await(lambda: _spools(api) == 0)


def test_a_response_is_not_computed_ahead_of_a_stalled_client(api: Api) -> None:
    """A client that does not read costs a few blocks, other clients are served, and no file is left."""
    rows = 20 * BLOCK_ROWS
    body = table(*[LINE] * rows)
    before = _predicted(api)

    with _sent(api, body):
        _await(lambda: _predicted(api) >= before + BLOCK_ROWS / 2)
        others = column(api.post_csv(body), "prediction")
        assert _predicted(api) < before + 1.8 * rows
        assert _spools(api) == 1

    assert others == ["setosa"] * rows
    _await(lambda: _spools(api) == 0)


@pytest.mark.parametrize("accept", ["text/csv", NDJSON])
@pytest.mark.parametrize(
    "lines", [["," * (WIDTH - 1)] * 3000, [",".join("a" * WIDTH)] * 1500], ids=["empty cells", "texts"]
)
def test_rows_with_many_faults_take_little_memory(zoo: Api, lines: list[str], accept: str) -> None:
    """The error of a row has a limit, and so does the block."""
    body = table(*lines, header=",".join(f"x{place}" for place in range(WIDTH)))
    headers = {**zoo.headers, "Content-Type": "text/csv", "Accept": accept}
    # The first CSV of a server loads Arrow.
    assert len(records(zoo.post_csv(body, WIDE))) == len(lines)
    before = zoo.server.memory_mib()

    with zoo.server.client.stream("POST", WIDE, content=body, headers=headers) as answer:
        sizes = [len(piece) for piece in answer.iter_bytes()]

    assert sum(sizes) > len(body)
    assert zoo.server.memory_mib(peak=True) - before < 64


def test_the_error_of_a_row_lists_some_of_its_faults(zoo: Api) -> None:
    """It has as many faults as fit into 2,000 characters, in the order of the columns, and the number of the others."""
    body = table("," * (WIDTH - 1), header=",".join(f"x{place}" for place in range(WIDTH)))

    [error] = column(zoo.post_csv(body, WIDE), "error")

    *mistakes, rest = error.removeprefix("line 2: ").split("; ")
    assert [mistake.split(":")[0] for mistake in mistakes] == [f"x{place}" for place in range(len(mistakes))]
    assert rest == f"and {WIDTH - len(mistakes)} more"
    assert 1900 < len("".join(mistakes)) <= 2000


def test_long_names_in_every_line_take_little_memory(api: Api) -> None:
    """A block has fewer rows if every line of the response is long."""
    name = "n" * 60_000
    body = table(*[f"{LINE},1"] * 1000, header=f"{HEADER},{name}")
    headers = {**api.headers, "Content-Type": "text/csv", "Accept": NDJSON}
    # The first CSV of a server loads Arrow.
    assert len(records(api.post_csv(table(LINE)))) == 1
    before = api.server.memory_mib()

    with api.server.client.stream("POST", "/api/v1/predict/csv", content=body, headers=headers) as answer:
        last = list(answer.iter_lines())[-1]

    assert json.loads(last)[name] == "1"
    assert api.server.memory_mib(peak=True) - before < 32


def test_an_upload_is_read_completely(api: Api) -> None:
    """No byte is lost, whether the upload fits into memory or is stored on the disk."""
    for rows in (1, 60_000):
        answer = records(api.post_csv(table(*(f"{LINE},{row}" for row in range(rows)), header=f"{HEADER},row")))
        assert [record["row"] for record in answer] == [str(row) for row in range(rows)]


def test_a_csv_does_not_import_pandas(api: Api) -> None:
    """Arrow imports pandas in many functions, which would cost a server without frames 70 MiB."""
    lines = [LINE, "x,1,1,1", '"5",1,1,1', *[LINE] * 9]
    maps = Path(f"/proc/{api.server.worker}/maps")
    before = "/pandas/" in maps.read_text()

    for accept in ("text/csv", NDJSON):
        headers = {**api.headers, "Content-Type": "text/csv", "Accept": accept}
        assert api.server.client.post("/api/v1/predict/csv", content=table(*lines), headers=headers).status_code == 200

    assert "/pyarrow/" in maps.read_text()
    assert ("/pandas/" in maps.read_text()) == before
