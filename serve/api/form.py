"""A form with one file."""

from fastapi import HTTPException, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from serve.errors import InvalidInput

_MAX_FIELDS = 4
_MAX_FIELD_BYTES = 64 * 2**10


class _Form(MultiPartParser):
    """Starlette's parser, which accepts a form without its end."""

    is_whole = False

    def on_end(self) -> None:
        self.is_whole = True

    def close(self) -> None:
        """Close every file, also that of a part without an end, which the form does not have."""
        for file in self._files_to_close_on_error:
            file.close()


async def file_of(request: Request) -> UploadFile:
    """
    Return the file of a multipart body (RFC 7578).

    Raises:
        HTTPException: 400: it is invalid, not whole, or has more than one file and a few small fields.
        InvalidInput: It has no file.
    """
    form = _Form(request.headers, request.stream(), max_files=1, max_fields=_MAX_FIELDS, max_part_size=_MAX_FIELD_BYTES)
    try:
        fields = await form.parse()
    except MultiPartException as error:
        raise HTTPException(
            400,
            "the form cannot be read: send one file and at most "
            f"{_MAX_FIELDS} fields of {_MAX_FIELD_BYTES // 1024} KiB, with the boundary that the header names",
        ) from error
    upload = fields.get("file")
    is_sound = form.is_whole and len(fields) == len(form.items)
    if is_sound and isinstance(upload, UploadFile):
        return upload
    form.close()
    if is_sound:
        raise InvalidInput("file-missing", "the form has no file: curl -F file=@rows.csv")
    raise HTTPException(400, "the form is cut short, or has two fields of one name")
