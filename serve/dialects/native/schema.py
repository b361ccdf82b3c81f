"""The pydantic model of the requests of one version, and what OpenAPI says of it."""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, WithJsonSchema, create_model, field_validator

from artifacts.columns import Column
from artifacts.kinds import kind_of
from artifacts.manifest import Manifest
from artifacts.signature import Batch
from serve.dialects.native.limits import Limits


class PredictRequest(BaseModel):
    """The body of a prediction; each model has a subclass that knows its columns."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    check_instances: ClassVar[Callable[[object], Batch]]

    instances: Batch

    @field_validator("instances", mode="plain")
    @classmethod
    def check(cls, value: object) -> Batch:
        """Check all instances at once, column by column."""
        return cls.check_instances(value)


def request_model(manifest: Manifest, limits: Limits, check: Callable[[object], Batch]) -> type[PredictRequest]:
    """Return the request model of a version, whose instances are checked by `check`."""
    schema = WithJsonSchema(instances_schema(manifest, max_rows=limits.max_rows))
    model: type[PredictRequest] = create_model(
        f"{manifest.model}.PredictRequest",
        __base__=PredictRequest,
        __doc__=f"Rows for {manifest.model}, as vectors in the order of its columns or as objects by name.",
        instances=(Annotated[Batch, schema], ...),
    )
    model.check_instances = staticmethod(check)
    return model


def instances_schema(manifest: Manifest, *, max_rows: int) -> dict[str, Any]:
    """Return what OpenAPI says of `instances`: vectors or objects, with training rows as examples."""
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


def _cell_schema(column: Column) -> dict[str, Any]:
    kind = kind_of(column)
    saw = column.saw[0].upper() + column.saw[1:]
    seen = "" if column.minimum is None else f"{saw} {column.minimum:g} to {column.maximum:g}{kind.unit}."
    return {"title": column.name, "description": seen, "examples": [column.example], **kind.json_schema()}
