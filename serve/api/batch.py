"""Predictions for a CSV: uploaded whole, answered block by block."""

from collections.abc import AsyncIterator, Iterator
from tempfile import SpooledTemporaryFile
from typing import Annotated, Any, BinaryIO, cast

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import UploadFile
from starlette.types import Receive, Scope, Send

from serve.api.deps import PREFIX, Batcher, Parts, PartsDep
from serve.api.media import require_media
from serve.errors import InvalidInput
from serve.registry import Model
from serve.tabular import CsvSource, CsvWriter

router = APIRouter(prefix=PREFIX, tags=["predictions"])

_IN_MEMORY = 2**20
_MAX_FIELDS = 4
_MAX_FIELD_BYTES = 64 * 2**10

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "contentMediaType": "text/csv", "format": "binary"}},
                }
            },
            "text/csv": {"schema": {"type": "string"}},
        },
    }
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "The rows, and what was predicted."}
}


class BatchOptions(BaseModel):
    """What may stand behind the question mark."""

    model_config = ConfigDict(extra="forbid")

    version: str | None = Field(None, description="A version's number or an alias; unset: the champion.")


Options = Annotated[BatchOptions, Query()]


@router.post("/predict/csv", response_class=StreamingResponse, openapi_extra=_BODY, responses=_ANSWERS)
async def predict_csv_default(
    request: Request, caller: Batcher, parts: PartsDep, options: Options
) -> StreamingResponse:
    """Predict every row of a CSV with the default model."""
    return await _predict_csv(parts, None, request, options)


@router.post("/models/{model}/predict/csv", response_class=StreamingResponse, openapi_extra=_BODY, responses=_ANSWERS)
async def predict_csv(
    model: str, request: Request, caller: Batcher, parts: PartsDep, options: Options
) -> StreamingResponse:
    """Predict every row of a CSV with one model."""
    return await _predict_csv(parts, model, request, options)


async def _predict_csv(parts: Parts, name: str | None, request: Request, options: BatchOptions) -> StreamingResponse:
    model = parts.registry.get(name, options.version)
    file = await _spool(parts, request)
    try:
        # The first block is made before the status is sent: what is wrong as a whole still gets one.
        blocks, first = await parts.compute(_start, parts, model, file)
    except BaseException:
        file.close()
        raise
    return _CsvAnswer(_stream(parts, first, blocks), file)


class _CsvAnswer(StreamingResponse):
    """A CSV on its way out; its upload is closed with it, whether or not it was read to the end."""

    media_type = "text/csv"

    def __init__(self, content: AsyncIterator[bytes], upload: BinaryIO) -> None:
        super().__init__(content)
        self._upload = upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._upload.close()


async def _stream(parts: Parts, first: bytes, blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    while block := await parts.compute(next, blocks, b""):
        yield block


async def _spool(parts: Parts, request: Request) -> BinaryIO:
    if require_media(request, "text/csv", "multipart/form-data") == "multipart/form-data":
        form = await request.form(max_files=1, max_fields=_MAX_FIELDS, max_part_size=_MAX_FIELD_BYTES)
        upload = form.get("file")
        if not isinstance(upload, UploadFile):
            await form.close()
            raise InvalidInput("file-missing", "the form has no file: curl -F file=@rows.csv")
        return upload.file
    file = cast(BinaryIO, SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115  # outlives this call
    try:
        async for chunk in request.stream():
            await parts.compute(file.write, chunk)
    except BaseException:
        file.close()
        raise
    return file


def _start(parts: Parts, model: Model, file: BinaryIO) -> tuple[Iterator[bytes], bytes]:
    blocks = _blocks(parts, model, file)
    header = next(blocks)
    return blocks, header + next(blocks)


def _blocks(parts: Parts, model: Model, file: BinaryIO) -> Iterator[bytes]:
    manifest = model.bundle.manifest
    classes = manifest.classes if model.bundle.has_probabilities else ()
    source = CsvSource(file, manifest.signature, classes, parts.csv)
    writer = CsvWriter(source, classes, parts.csv)
    yield writer.header()
    for block in source.blocks():
        predictions = parts.inference.predict(model, block.batch)
        yield writer.rows(block, predictions.faults, predictions.labels, predictions.probabilities)
