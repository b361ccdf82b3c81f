"""What a body says it is, and whether its route takes that."""

from email.message import Message

from fastapi import Request

from serve.errors import InvalidInput

_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})


def require_media(request: Request, *accepted: str) -> str:
    """
    The media type of the body.

    Raises:
        InvalidInput: It is none of those that the route takes, not in UTF-8, or compressed.
    """
    header = Message()
    header["Content-Type"] = request.headers.get("content-type", "")
    media = header.get_content_type()
    is_plain = request.headers.get("content-encoding", "identity").lower() == "identity"
    if media not in accepted or header.get_content_charset("utf-8") not in _CHARSETS or not is_plain:
        raise InvalidInput("unsupported-media-type", f"send {' or '.join(accepted)}, in UTF-8 and not compressed")
    return media
