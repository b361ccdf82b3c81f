"""Predictions for a CSV: received whole, answered block by block."""

import errno
from collections.abc import AsyncIterator, Callable
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, cast

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import UploadFile
from starlette.types import Receive, Scope, Send

from artifacts import Batch, Predictions
from serve.api import rates
from serve.api.context import RequestContext, context_of
from serve.api.deps import PREFIX, Batcher, Services, ServicesDep
from serve.api.form import file_of
from serve.api.media import CSV, NDJSON, preferred_media, require_media
from serve.auth.principals import Principal
from serve.errors import DeadlineExceeded, ProtocolTooOld, RateExceeded, StorageFull
from serve.inference.calls import Call
from serve.inference.faults import complete, overdue_predictions
from serve.inference.registry import LoadedModel
from serve.inference.threads import on_loop
from serve.limits.rate import Rate

if TYPE_CHECKING:
    from serve.dialects.blocks import Block

router = APIRouter(prefix=PREFIX, tags=["predictions"])

# A larger body is written to disk.
_IN_MEMORY = 2**20
_PIECE_BYTES = 2**16
# How long a block may wait for a thread, in deadlines of a prediction: uploads wait for each other.
_WAIT_DEADLINES = 3

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
        "description": "The rows with their predictions: as CSV, or as one JSON object per line if `Accept` says so.",
    }
}


class BatchOptions(BaseModel):
    """The query parameters."""

    model_config = ConfigDict(extra="forbid")

    version: str | None = Field(None, description="A version's number or an alias; unset: the champion.")


Options = Annotated[BatchOptions, Query()]


@router.post("/predict/csv", response_class=StreamingResponse, openapi_extra=_BODY, responses=_ANSWERS)
async def predict_csv_default(
    request: Request, caller: Batcher, services: ServicesDep, options: Options
) -> StreamingResponse:
    """Predict every row of a CSV with the default model."""
    return await _predict_csv(services, None, request, caller, options)


@router.post("/models/{model}/predict/csv", response_class=StreamingResponse, openapi_extra=_BODY, responses=_ANSWERS)
async def predict_csv(
    model: str, request: Request, caller: Batcher, services: ServicesDep, options: Options
) -> StreamingResponse:
    """Predict every row of a CSV with one model."""
    return await _predict_csv(services, model, request, caller, options)


async def _predict_csv(
    services: Services, name: str | None, request: Request, caller: Principal, options: BatchOptions
) -> StreamingResponse:
    if request.scope["http_version"] == "1.0":
        raise ProtocolTooOld
    quota = services.rates.rows
    if quota:
        try:
            quota.check(caller.name)
        except RateExceeded:
            rates.note(context_of(request.scope), quota, caller.name)
            raise
    model = services.registry.get(name, options.version)
    media = preferred_media(request, CSV, NDJSON)
    file = await _spool(request)
    meter = _Meter(quota, caller.name) if quota else None
    upload = _Upload(services, model, file, media, meter=meter, context=context_of(request.scope))
    try:
        # The first block is encoded before the status is sent, so that a file that cannot be read gets an error.
        first = await upload.first()
    except BaseException:
        file.close()
        raise
    finally:
        if quota:
            rates.note(context_of(request.scope), quota, caller.name)
    return _Answer(_stream(first, upload), media, file)


class _Answer(StreamingResponse):
    """The streamed answer to an upload, which is closed with it, whether or not the client reads to the end."""

    def __init__(self, content: AsyncIterator[bytes], media: str, upload: BinaryIO) -> None:
        super().__init__(content, media_type=media)
        self._upload = upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._upload.close()


async def _stream(first: bytes, upload: "_Upload") -> AsyncIterator[bytes]:
    # In pieces: nothing is in memory twice while a slow client reads, and no block is encoded ahead.
    block = first
    while block:
        for start in range(0, len(block), _PIECE_BYTES):
            yield block[start : start + _PIECE_BYTES]
        block = b""
        block = await upload.next()


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
    # As the file of a form is written: in a thread once it is on disk, and never in one of those that predict.
    upload = UploadFile(file)
    try:
        async for piece in pieces:
            await upload.write(piece)
    except BaseException:
        file.close()
        raise
    return file


class _Upload:
    """One CSV with its model; a block becomes error rows if the model takes too long."""

    def __init__(
        self,
        services: Services,
        model: LoadedModel,
        file: BinaryIO,
        media: str,
        *,
        meter: "_Meter | None",
        context: RequestContext,
    ) -> None:
        self._services = services
        self._caller, self._request_id = context.caller or "", context.request_id
        self._model = model
        self._file = file
        self._media = media
        self._meter = meter
        # More uploads may share the threads of a model than JSON requests, and each has more blocks to come.
        self._deadline_s = model.bundle.manifest.deadline_s or services.threads.deadline_s
        self._wait_s = _WAIT_DEADLINES * self._deadline_s
        self._block: Block | None = None

    async def first(self) -> bytes:
        """
        Return the header and the rows of the first block.

        Raises:
            InvalidInput: The file as a whole, or something in its first block, cannot be read.
            DeadlineExceeded: No thread was free in time, or the model took too long.
        """
        written = await self._services.threads.run(
            self._model.name, self._begin, wait_s=self._wait_s, deadline_s=self._deadline_s
        )
        # No block is kept while its rows are sent to a slow client.
        self._block = None
        return written

    def _begin(self) -> bytes:
        # Arrow takes memory, which a server that gets no CSV does not need.
        from serve.dialects.blocks import encode
        from serve.dialects.csv.decoder import CsvDecoder
        from serve.dialects.csv.encoder import CsvEncoder
        from serve.dialects.ndjson import NdjsonEncoder

        manifest, options = self._model.bundle.manifest, self._services.csv
        spread = manifest.classes if self._model.bundle.has_probabilities else ()
        decoder = CsvDecoder(self._file, manifest.signature, spread, options)
        encoder = (
            NdjsonEncoder(decoder.header, manifest.classes, spread, max_names_bytes=options.max_cell_bytes)
            if self._media == NDJSON
            else CsvEncoder(decoder.header, manifest.classes, spread, decoder.delimiter, escape_all=options.escape_all)
        )
        self._encode, self._blocks = partial(encode, encoder), decoder.blocks()
        return encoder.header + self._read_and_write(self._predict)

    async def next(self) -> bytes:
        """
        Return the rows of the next block; empty after the last one.

        Raises:
            InvalidInput: Something in it cannot be read.
            DeadlineExceeded: Only reading it took too long.
        """
        written = await self._next()
        # No block is kept while its rows are sent to a slow client.
        self._block = None
        return written

    async def _next(self) -> bytes:
        overdue = partial(overdue_predictions, self._model.bundle)
        try:
            slot = await self._services.threads.acquire(self._model.name, wait_s=self._wait_s)
        except DeadlineExceeded:
            return await self._services.compute(self._read_and_write, overdue)
        try:
            return await slot.run(partial(self._read_and_write, self._predict), deadline_s=self._deadline_s)
        except DeadlineExceeded:
            return await self._services.compute(self._write, overdue)

    def _read_and_write(self, predict: Callable[[Batch], Predictions]) -> bytes:
        self._block = next(self._blocks, None)
        return self._write(predict) if self._block else b""

    def _write(self, predict: Callable[[Batch], Predictions]) -> bytes:
        """Write the block that was read last; any thread may do so, also while another one does."""
        block = self._block
        if block is None:
            # The other thread is still reading it.
            raise DeadlineExceeded
        return self._encode(block, predict(block.batch))

    def _predict(self, batch: Batch) -> Predictions:
        if self._meter:
            self._meter.count(len(batch.good))
        model = self._model
        predictions = self._services.inference.predict_block(Call(model, batch.data, self._caller, self._request_id))
        return complete(predictions, batch, model.bundle, probabilities=True)


class _Meter:
    """
    Counts the rows of one upload against a quota as they are read.

    Their number is not known before: an upload that begins within the quota is finished, and the next one refused.
    """

    def __init__(self, quota: Rate, who: str) -> None:
        self._charge = on_loop(partial(quota.charge, who))
        self._is_begun = False

    def count(self, rows: int) -> None:
        """Count rows; called in a thread that predicts."""
        if rows:
            self._charge(rows, is_begun=self._is_begun)
            self._is_begun = True
