"""The request model of a version: one validator for all instances, and its OpenAPI."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from artifacts import Store
from serve.dialects.native.decoder import NativeDecoder
from tests.support import tiny_models


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> NativeDecoder:
    """Return the decoder of a small model."""
    store: Path = tmp_path_factory.mktemp("store")
    return NativeDecoder(tiny_models.make().publish(Store(store)), tiny_models.LIMITS)


def test_the_schema_describes_vectors_and_objects(decoder: NativeDecoder) -> None:
    """Both have the model's columns, and its examples are training rows."""
    schema = decoder.request.model_json_schema()
    instances = schema["properties"]["instances"]
    vector, record = instances["items"]["anyOf"]

    assert decoder.request.__name__ == "tiny.PredictRequest"
    assert [cell["title"] for cell in vector["prefixItems"]] == list(record["properties"])
    assert record["additionalProperties"] is False
    assert instances["maxItems"] == tiny_models.LIMITS.max_rows
    assert schema["additionalProperties"] is False


def test_the_examples_of_the_schema_are_valid(decoder: NativeDecoder) -> None:
    """Examples are valid requests as vectors and as objects."""
    for example in decoder.request.model_json_schema()["properties"]["instances"]["examples"]:
        assert decoder.request.model_validate({"instances": example}).instances.good.all()


def test_a_body_has_no_other_key_than_instances(decoder: NativeDecoder) -> None:
    """Pydantic refuses other keys."""
    with pytest.raises(ValidationError, match="extra_forbidden"):
        decoder.request.model_validate({"instances": [[1.0]], "model": "x"})
