"""Predictions for a CSV: uploaded whole, answered block by block."""

import errno
from collections.abc import AsyncIterator, Iterator
from functools import partial
from itertools import chain
from tempfile import SpooledTemporaryFile
from typing import Annotated, Any, BinaryIO, cast

from anyio import from_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import UploadFile
from starlette.types import Receive, Scope, Send

from artifacts import Batch
from serve.api import rates
from serve.api.deps import PREFIX, Batcher, Parts, PartsDep
from serve.api.form import file_of
from serve.api.media import CSV, NDJSON, preferred_media, require_media
from serve.errors import ProtocolTooOld, StorageFull
from serve.inference import Predictions
from serve.limits.rate import Rate
from serve.registry import Model
from serve.security.principals import Principal

router = APIRouter(prefix=PREFIX, tags=["predictions"])

# What is longer goes to the disk.
_IN_MEMORY = 2**20
_PIECE_BYTES = 2**16

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
            CSV: {"schema": {"type": "string"}},
        },
    }
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {media: {"schema": {"type": "string"}} for media in (CSV, NDJSON)},
        "description": "The rows, and what was predicted: as CSV, or as a JSON object a line if `Accept` says so.",
    }
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
    return await _predict_csv(parts, None, request, caller, options)


@router.post("/models/{model}/predict/csv", response_class=StreamingResponse, openapi_extra=_BODY, responses=_ANSWERS)
async def predict_csv(
    model: str, request: Request, caller: Batcher, parts: PartsDep, options: Options
) -> StreamingResponse:
    """Predict every row of a CSV with one model."""
    return await _predict_csv(parts, model, request, caller, options)


async def _predict_csv(
    parts: Parts, name: str | None, request: Request, caller: Principal, options: BatchOptions
) -> StreamingResponse:
    if request.scope["http_version"] == "1.0":
        raise ProtocolTooOld
    quota = parts.rates.rows
    if quota:
        quota.check(caller.name)
    model = parts.registry.get(name, options.version)
    media = preferred_media(request, CSV, NDJSON)
    file = await _spool(request)
    try:
        # The first block is made before the status is sent: what is wrong as a whole still gets one.
        meter = _Meter(quota, caller.name) if quota else None
        blocks = await parts.compute(_started, parts, model, file, media, meter)
    except BaseException:
        file.close()
        raise
    finally:
        if quota:
            rates.note(request.scope, quota, caller.name)
    return _Answer(_stream(parts, blocks), media, file)


class _Answer(StreamingResponse):
    """A table on its way out; its upload is closed with it, whether or not it was read to the end."""

    def __init__(self, content: AsyncIterator[bytes], media: str, upload: BinaryIO) -> None:
        super().__init__(content, media_type=media)
        self._upload = upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._upload.close()


async def _stream(parts: Parts, blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
    # In pieces: of what a slow reader has not taken yet nothing is in memory twice, and no block is made ahead.
    while block := await parts.compute(next, blocks, b""):
        for start in range(0, len(block), _PIECE_BYTES):
            yield block[start : start + _PIECE_BYTES]


async def _spool(request: Request) -> BinaryIO:
    try:
        if require_media(request, CSV, "multipart/form-data") == "multipart/form-data":
            return (await file_of(request)).file
        return await receive(request.stream(), cast(BinaryIO, SpooledTemporaryFile(_IN_MEMORY)))
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StorageFull from error
        raise


async def receive(pieces: AsyncIterator[bytes], file: BinaryIO) -> BinaryIO:
    """Write a body to a file, which is closed if that fails."""
    # As a form's file is written: in a thread once it goes to the disk, and never in one that computes.
    upload = UploadFile(file)
    try:
        async for piece in pieces:
            await upload.write(piece)
    except BaseException:
        file.close()
        raise
    return file


def _started(parts: Parts, model: Model, file: BinaryIO, media: str, meter: "_Meter | None") -> Iterator[bytes]:
    # Arrow takes room, which a server that sees no CSV can do without.
    from serve.tabular.answer import Asked, answer

    manifest, predict = model.bundle.manifest, partial(_predict, parts, model, meter)
    asked = Asked(manifest.signature, manifest.classes, model.bundle.has_probabilities, predict)
    blocks = answer(file, asked, parts.csv, as_ndjson=media == NDJSON)
    return chain([next(blocks) + next(blocks)], blocks)


def _predict(parts: Parts, model: Model, meter: "_Meter | None", batch: Batch) -> Predictions:
    if meter:
        meter.count(len(batch.good))
    return parts.inference.predict(model, batch)


class _Meter:
    """
    The rows of one upload, counted as they are read.

    How many there are nobody knows before: an upload that finds something left is finished, and the next one refused.
    """

    def __init__(self, quota: Rate, who: str) -> None:
        self._charge = partial(quota.charge, who)
        self._is_begun = False

    def count(self, rows: int) -> None:
        """Count, from a thread that computes."""
        if rows:
            from_thread.run(partial(self._charge, rows, is_begun=self._is_begun))
            self._is_begun = True
