"""From a manifest to the pydantic model of its requests, and to what OpenAPI says of them."""

from typing import Annotated, Any, ClassVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError, WithJsonSchema, create_model, field_validator

from artifacts.columns import Column
from artifacts.manifest import Manifest
from artifacts.signature import Batch
from serve.dialects.native.fast import Plain, plain
from serve.dialects.native.rows import Limits, MaybeRounded, Rows, invalid_rows
from serve.errors import InvalidInput
from serve.http.json_body import parse, parse_exactly


class PredictRequest(BaseModel):
    """The body of a prediction; each model has a subclass that knows its columns."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    rows: ClassVar[Rows]
    plain: ClassVar[Plain | None]

    instances: Batch

    @field_validator("instances", mode="plain")
    @classmethod
    def check(cls, value: object) -> Batch:
        """All instances at once, column by column."""
        return cls.rows.check(value)


def request_model(manifest: Manifest, limits: Limits) -> type[PredictRequest]:
    """The request model of one version."""
    schema = WithJsonSchema(instances_schema(manifest, max_rows=limits.max_rows))
    model: type[PredictRequest] = create_model(
        f"{manifest.model}.PredictRequest",
        __base__=PredictRequest,
        __doc__=f"Rows for {manifest.model}, as vectors in the order of its columns or as objects by name.",
        instances=(Annotated[Batch, schema], ...),
    )
    model.rows = Rows(manifest.signature, limits)
    model.plain = plain(
        manifest.signature, max_depth=limits.max_depth, max_rows=limits.max_rows, max_digits=limits.max_digits
    )
    return model


def read(model: type[PredictRequest], body: bytes, *, report: bool) -> Batch:
    """
    Read a JSON body; with `report`, bad rows are left to the caller, who finds them in the batch's faults.

    Raises:
        InvalidInput: The body is not what the model asks for.
        InvalidRows: A row is not, and `report` is not set.
    """
    limits = model.rows.limits
    document = parse(body, max_depth=limits.max_depth, max_rows=limits.max_rows)
    try:
        batch = _batch(model, document)
    except MaybeRounded:
        document = parse_exactly(body)
        batch = _batch(model, document)
    if batch.faults and not report:
        raise invalid_rows(batch.faults, cast(dict[str, Any], document)["instances"], model.rows)
    return batch


def _batch(model: type[PredictRequest], document: object) -> Batch:
    try:
        return model.model_validate(document).instances
    except ValidationError as error:
        raise _shape(error) from error


def instances_schema(manifest: Manifest, *, max_rows: int) -> dict[str, Any]:
    """What OpenAPI says of `instances`: vectors or objects, with training rows as examples."""
    columns = manifest.signature.columns
    cells = {column.name: _cell_schema(column) for column in columns}
    vector = {"type": "array", "prefixItems": list(cells.values()), "minItems": len(cells), "maxItems": len(cells)}
    required = [column.name for column in columns if column.required]
    ignores_unknown = manifest.signature.unknown_names == "ignore"
    record = {"type": "object", "properties": cells, "required": required, "additionalProperties": ignores_unknown}
    examples = [list(row) for row in manifest.examples.instances[:2]]
    return {
        "type": "array",
        "minItems": 1,
        "maxItems": max_rows,
        "items": {"anyOf": [{**vector, "title": "vector"}, {**record, "title": "record"}]},
        "examples": [examples, [dict(zip(cells, row, strict=True)) for row in examples]],
    }


def _shape(error: ValidationError) -> InvalidInput:
    first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "missing":
        return InvalidInput("invalid-body", 'the body lacks "instances": {"instances": [[...], ...]}')
    if first["type"] == "extra_forbidden":
        return InvalidInput("invalid-body", 'the body has a key besides "instances"')
    return InvalidInput("invalid-body", 'the body must be an object: {"instances": [[...], ...]}')


def _cell_schema(column: Column) -> dict[str, Any]:
    schema: dict[str, Any] = {"title": column.name, "description": _seen(column), "examples": [column.example]}
    if column.kind == "category" and column.unknown == "refuse":
        return {**schema, "enum": [*column.known, None] if column.nullable else column.known}
    kinds = {"float": "number", "integer": "integer", "boolean": "boolean"}
    kind = kinds.get(column.kind, "string") if column.kind != "category" else _level_type(column)
    return {**schema, "type": [kind, "null"] if column.nullable else kind}


def _level_type(column: Column) -> str:
    kinds = {bool: "boolean", int: "integer", float: "number"}
    return next((kinds[type(value)] for value in column.known if type(value) in kinds), "string")


def _seen(column: Column) -> str:
    if column.minimum is None:
        return ""
    unit = " characters" if column.kind == "text" else ""
    saw = column.saw[0].upper() + column.saw[1:]
    return f"{saw} {column.minimum:g} to {column.maximum:g}{unit}."
