"""JSON in: the fast decoder is tried first; the row-by-row decoder follows where that cannot decide."""

from typing import Any, cast

from pydantic import ValidationError

from artifacts.manifest import Manifest
from artifacts.signature import Batch
from artifacts.values import Fault
from serve.dialects.native.errors import invalid_rows
from serve.dialects.native.fast_decoder import Rows, fast_decoder
from serve.dialects.native.limits import Limits
from serve.dialects.native.row_decoder import MaybeRounded, RowDecoder
from serve.dialects.native.schema import request_model
from serve.errors import InvalidInput, InvalidRows
from serve.http.json_body import parse, parse_exactly

# Larger bodies take more than a millisecond.
_SHORT_BYTES = 2**18
# The row-by-row decoder takes longer.
_SHORT_ROW_BY_ROW_BYTES = 2**12


class NativeDecoder:
    """
    Decodes the bodies of one version.

    Attributes:
        request: The pydantic model that validates a body and explains what is wrong with it; OpenAPI shows it.
    """

    def __init__(self, manifest: Manifest, limits: Limits) -> None:
        self._limits = limits
        self._names = manifest.signature.names
        self._fast = fast_decoder(
            manifest.signature, max_depth=limits.max_depth, max_rows=limits.max_rows, max_digits=limits.max_digits
        )
        self.request = request_model(manifest, limits, RowDecoder(manifest.signature, limits).check)

    def decode(self, body: bytes, *, report: bool = False) -> Rows | Batch:
        """
        Return the rows of a body; a batch where the row-by-row decoder checked them.

        Args:
            body: The whole body.
            report: Whether invalid rows are left to the faults of the batch.

        Raises:
            InvalidInput: The body is not what the model needs.
            InvalidRows: A row is invalid, and `report` is not set.
        """
        rows = self._fast(body) if self._fast else None
        return self._decode_row_by_row(body, report=report) if rows is None else rows

    def decode_short(self, body: bytes, *, report: bool = False) -> Rows | Batch | None:
        """Do the same if it takes less than a millisecond; return None if it takes longer."""
        if len(body) >= _SHORT_BYTES:
            return None
        rows = self._fast(body) if self._fast else None
        if rows is None and len(body) < _SHORT_ROW_BY_ROW_BYTES:
            return self._decode_row_by_row(body, report=report)
        return rows

    def refusal(self, faults: tuple[Fault, ...], instances: Any = ()) -> InvalidRows:
        """Return the error of a request with these faults."""
        return invalid_rows(faults, instances, self._names, self._limits)

    def _decode_row_by_row(self, body: bytes, *, report: bool) -> Batch:
        document = parse(body, max_depth=self._limits.max_depth, max_rows=self._limits.max_rows)
        try:
            batch = self._validated(document)
        except MaybeRounded:
            document = parse_exactly(body)
            batch = self._validated(document)
        if batch.faults and not report:
            raise self.refusal(batch.faults, cast(dict[str, Any], document)["instances"])
        return batch

    def _validated(self, document: object) -> Batch:
        try:
            return self.request.model_validate(document).instances
        except ValidationError as error:
            kind = error.errors(include_url=False, include_input=False)[0]["type"]
            raise InvalidInput("invalid-body", _SHAPES.get(kind, _NO_OBJECT)) from error


_NO_OBJECT = 'the body must be an object: {"instances": [[...], ...]}'
_SHAPES = {
    "missing": 'the body lacks "instances": {"instances": [[...], ...]}',
    "extra_forbidden": 'the body has a key besides "instances"',
}
