"""Media types: whether a route accepts that of a body, and which one the caller prefers for the answer."""

import re
from collections.abc import Iterator
from email.message import Message

from fastapi import Request

from serve.errors import InvalidInput

CSV = "text/csv"
NDJSON = "application/x-ndjson"
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")

_SYNONYMS = {"application/ndjson": NDJSON, "application/jsonl": NDJSON}
_WEIGHT = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})


def require_media(request: Request, *accepted: str) -> str:
    """
    Return the media type of the body.

    Raises:
        InvalidInput: The route does not accept it, or the body is not in UTF-8, or compressed.
    """
    header = _content_type(request)
    media = header.get_content_type()
    if media not in accepted or header.get_content_charset("utf-8") not in _CHARSETS or _is_compressed(request):
        raise InvalidInput("unsupported-media-type", f"send {' or '.join(accepted)}, in UTF-8 and not compressed")
    return media


def require_form(request: Request) -> None:
    """
    Refuse a body that is not a form; one without a media type is left to the parser of its fields.

    Raises:
        InvalidInput: It has another media type, or is compressed.
    """
    is_form = "content-type" not in request.headers or _content_type(request).get_content_type() in _FORMS
    if not is_form or _is_compressed(request):
        detail = f"send a form, {_FORMS[0]} and not compressed: curl -d username=... -d password=..."
        raise InvalidInput("unsupported-media-type", detail)


def _content_type(request: Request) -> Message:
    header = Message()
    header["Content-Type"] = request.headers.get("content-type", "")
    return header


def _is_compressed(request: Request) -> bool:
    return request.headers.get("content-encoding", "identity").lower() != "identity"


def preferred_media(request: Request, *offered: str) -> str:
    """
    Return the media type that the caller prefers: of those that `Accept` names, the first with the highest `q`.

    Where it names none, the first offered one that is not refused with `q=0`; if all are, the first.
    """
    named = [entry for header in request.headers.getlist("accept") for entry in _entries(header) if entry[0] in offered]
    wanted = [entry for entry in named if entry[1] > 0]
    if wanted:
        return max(wanted, key=lambda entry: entry[1])[0]
    refused = {media for media, _ in named}
    return next((media for media in offered if media not in refused), offered[0])


def _entries(header: str) -> Iterator[tuple[str, float]]:
    """Return each media type of an `Accept` header with its `q`."""
    for entry in header.split(","):
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        if _WEIGHT.fullmatch(weight):
            yield _SYNONYMS.get(name, name), float(weight)
