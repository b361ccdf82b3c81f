"""Forms that try to harm the server or to be read in two ways: logins and uploads."""

from pathlib import Path

import pytest

from tests.support.bodies import LINE, table
from tests.support.server import Api, slug

LOGIN, UPLOAD = "/api/v1/token", "/api/v1/predict/csv"
URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"
FILE = b'form-data; name="file"; filename="a.csv"'
TABLE = table(LINE)
MIB = 2**20

LOGINS = {
    "many fields": (b"a=b&" * 4000, 400),
    "100,000 fields": (b"a=b&" * 100_000, 413),
    "semicolons": (b"a;" * 8000, 400),
    "a MiB of semicolons": (b"a;" * (MIB // 2), 413),
    "nothing between": (b"&" * 16_000, 400),
    "a large field": (b"username=" + b"a" * MIB, 413),
    "the name twice": (b"username=ada&username=developer&password=x", 400),
    "the password twice": (b"username=ada&password=x&password=y", 400),
    "the grant twice": (b"grant_type=password&grant_type=password&username=ada&password=x", 400),
    "an invalid percent escape": (b"username=%zz&password=%", 400),
    "invalid UTF-8": (b"username=%ff%fe&password=%c0%80", 400),
    "NUL": (b"username=a%00&password=b", 400),
}


def part(disposition: bytes, content: bytes, *more: bytes) -> bytes:
    """Return a part of a form."""
    return b"\r\n".join([b"--x", b"Content-Disposition: " + disposition, *more, b"", content, b""])


END = b"--x--\r\n"
GOOD = part(FILE, TABLE) + END
UPLOADS = {
    "10,000 parts": (b"".join(part(b'form-data; name="%d"' % number, b"") for number in range(10_000)) + END, {400}),
    "10,000 files": (b"".join(part(FILE, b"") for _ in range(10_000)) + END, {400}),
    "a header of a MiB": (part(FILE, TABLE, b"A: " + b"b" * MIB) + END, {400}),
    "100,000 headers": (part(FILE, TABLE, *[b"A: b"] * 100_000) + END, {400}),
    "10 MiB of line breaks before": (b"\r\n" * (5 * MIB) + GOOD, {200, 400}),
    "10 MiB of text before": (b"a" * (10 * MIB) + GOOD, {400}),
    "10 MiB of half boundaries before": (b"\r\n--" * (MIB * 5 // 2) + GOOD, {400}),
    "10 MiB behind": (GOOD + b"\r\n" * (5 * MIB), {200, 400}),
    "a field of 60 MiB": (part(b'form-data; name="file"', b"a" * (60 * MIB)) + END, {400}),
    "a field of 100 MiB": (part(b'form-data; name="file"', b"a" * (100 * MIB)) + END, {413}),
    "no last boundary": (part(FILE, TABLE), {400}),
    "no last boundary, on the disk": (part(FILE, TABLE + b"\n" * (5 * MIB)), {400}),
    "cut short": (GOOD[:-30], {400}),
    "another name": (part(b"form-data; name=\"file\"; filename*=utf-8''%2e%2e%2fx", TABLE) + END, {422}),
    "a name with a path": (part(b'form-data; name="file"; filename="../../x"', TABLE) + END, {200}),
    "a name with NUL": (part(b'form-data; name="file"; filename="a\0b"', TABLE) + END, {200, 400}),
    "a file and a field of one name": (part(FILE, TABLE) + part(b'form-data; name="file"', b"1") + END, {400}),
    "no name": (part(b'form-data; filename="a"', TABLE) + END, {400}),
    "many parameters": (part(FILE + b"; a=b" * 50_000, TABLE) + END, {400}),
}


@pytest.mark.parametrize(("form", "status"), LOGINS.values(), ids=LOGINS)
def test_a_malicious_login_is_refused_at_once(api: Api, form: bytes, status: int) -> None:
    """Many or large fields take little time, and repeated fields are refused."""
    before_s = api.server.cpu_s

    answer = api.server.client.post(LOGIN, content=form, headers={"Content-Type": URLENCODED})

    assert (answer.status_code, slug(answer)) in {
        (status, "invalid-login"),
        (status, "bad-request"),
        (413, "body-too-large"),
    }
    assert answer.status_code == status
    assert api.server.cpu_s - before_s < 0.3


@pytest.fixture(scope="module", autouse=True)
def _arrow_is_loaded(api: Api) -> None:
    """Send a CSV first, because the first one of a server loads Arrow."""
    assert api.post_csv(TABLE).status_code == 200


@pytest.mark.parametrize(("form", "statuses"), UPLOADS.values(), ids=UPLOADS)
def test_a_malicious_form_takes_few_resources(api: Api, form: bytes, statuses: set[int]) -> None:
    """Every form takes little time and memory, and leaves no file."""
    before_s, before = api.server.cpu_s, api.server.memory_mib()

    answer = api.server.client.post(UPLOAD, content=form, headers={**api.headers, "Content-Type": MULTIPART})

    assert answer.status_code in statuses
    assert answer.status_code == 200 or slug(answer)
    assert api.server.cpu_s - before_s < 0.5
    assert api.server.memory_mib(peak=True) - before < 48
    assert not _open_uploads(api.server.worker)


def _open_uploads(pid: int) -> list[str]:
    """Return the open but deleted files of a process, which hold uploads that are too large for memory."""
    links = [str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir() if entry.is_symlink()]
    return [link for link in links if link.endswith("(deleted)")]


@pytest.mark.parametrize("boundary", ["x" * 10_240, "\xe4", '"x'])
def test_an_invalid_boundary_is_400(api: Api, boundary: str) -> None:
    """A long or invalid boundary is refused."""
    kind = f"multipart/form-data; boundary={boundary}".encode("latin-1")

    answer = api.server.client.post(UPLOAD, content=GOOD, headers={**api.headers, "Content-Type": kind})  # type: ignore[arg-type]

    assert (answer.status_code, slug(answer)) == (400, "bad-request")
