"""Media types: which bodies a route accepts, and which answer the caller prefers."""

import pytest
from fastapi import Request

from serve.api.media import CSV, NDJSON, preferred_media, require_form, require_media
from serve.errors import InvalidInput


def _request(**headers: str) -> Request:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": pairs})


@pytest.mark.parametrize("media", ["text/csv", "TEXT/CSV", "text/csv; charset=utf-8", 'text/csv; charset="UTF-8"'])
def test_a_body_of_an_accepted_type_passes(media: str) -> None:
    """In any case, with or without a charset."""
    assert require_media(_request(content_type=media), CSV, "multipart/form-data") == CSV


@pytest.mark.parametrize(
    "headers",
    [{}, {"content_type": "text/plain"}, {"content_type": "text/csv; charset=latin-1"},
     {"content_type": "text/csv", "content_encoding": "gzip"}],
)  # fmt: skip
def test_other_bodies_are_refused(headers: dict[str, str]) -> None:
    """Without a type, of another one, in another charset, or compressed."""
    with pytest.raises(InvalidInput, match="send text/csv, in UTF-8 and not compressed") as caught:
        require_media(_request(**headers), CSV)

    assert caught.value.code == "unsupported-media-type"


def test_a_form_may_have_no_type() -> None:
    """But not a type that is not a form's, and no compression."""
    require_form(_request())
    require_form(_request(content_type="application/x-www-form-urlencoded"))
    for headers in ({"content_type": "application/json"}, {"content_encoding": "gzip"}):
        with pytest.raises(InvalidInput, match="send a form"):
            require_form(_request(**headers))


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", CSV),
        ("*/*", CSV),
        ("application/x-ndjson", NDJSON),
        ("application/jsonl", NDJSON),
        ("text/csv;q=0.5, application/x-ndjson;q=0.8", NDJSON),
        ("text/csv, application/x-ndjson", CSV),
        ("text/csv;q=0", NDJSON),
        ("text/csv;q=0, application/ndjson;q=0", CSV),
        ("application/x-ndjson;q=2", CSV),
    ],
)
def test_the_answer_has_the_preferred_type(accept: str, media: str) -> None:
    """The first of the highest weight, else the first that is not refused; there always is one."""
    assert preferred_media(_request(accept=accept), CSV, NDJSON) == media
