"""A manifest is read as it was written, or refused with the reason."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from artifacts import Store
from artifacts.errors import ArtifactFormat, ArtifactSchema, NameInvalid
from artifacts.manifest import FORMAT, Examples, Label, Manifest, check_name, parse
from tests.support import tiny_models

label_map = TypeAdapter(tuple[Label, ...])
class_values = st.booleans() | st.integers() | st.text()
finite = st.floats(allow_nan=False, allow_infinity=False)


def manifest(made: tiny_models.Tiny | None = None, **fields: Any) -> Manifest:
    """A manifest as a store would write it."""
    identity: dict[str, Any] = {"model": "tiny", "version": 3, "created_at": datetime(2026, 1, 2, 3, 4, tzinfo=UTC)}
    return Manifest.model_validate(
        {**dict((made or tiny_models.make(**fields)).promise), **identity, "files": {"model.joblib": "0" * 64}}
    )


def changed(**fields: Any) -> bytes:
    """The manifest's bytes, some fields replaced."""
    return json.dumps({**json.loads(manifest().model_dump_json()), **fields}).encode()


def typed(values: Any) -> list[tuple[type, object]]:
    """Values with their types, for Python takes 0 for False."""
    return [(type(value), value) for value in values]


def test_a_notebook_shows_a_manifest_in_one_line(tmp_path: Path) -> None:
    """It has the model, the version, the numbers of columns and classes, and the store after publication."""
    regressor = tiny_models.make_regressor().publish(Store(tmp_path))

    assert repr(manifest()) == "Manifest(model='tiny', version=3, task='classification', columns=2, classes=2)"
    assert repr(regressor) == f"Manifest(model='tiny', version=1, task='regression', columns=2, store='{tmp_path}')"


@pytest.mark.parametrize("labels", [("short", "long"), (0, 1), (False, True), ("0", 0), ("true", True)], ids=repr)
def test_a_manifest_is_read_as_it_was_written(labels: tuple[Any, Any]) -> None:
    """Every field is read as it was written, the type of each class included: 0, false and "0" differ."""
    written = manifest(labels=labels)

    back = parse(written.model_dump_json(indent=2).encode())

    assert back == written
    assert typed(back.classes) == typed(labels)
    assert typed(back.examples.predictions) == typed(written.examples.predictions)


@pytest.mark.parametrize("predicted", [5.0, -0.0, 1e300, 0.1, 5e-324], ids=repr)
def test_a_number_that_was_predicted_stays_a_float(predicted: float) -> None:
    """A regressor's 5.0 is not read as an integer, and loses no bit."""
    examples = Examples(instances=((1.0, 2),), predictions=(predicted,), probabilities=None)

    back = parse(manifest(tiny_models.make_regressor(examples=examples)).model_dump_json().encode())

    assert repr(back.examples.predictions) == repr((predicted,))


@settings(deadline=None)
@given(lines=st.lists(st.tuples(class_values, class_values), max_size=6))
def test_a_label_map_is_read_as_it_was_written(lines: list[tuple[Any, Any]]) -> None:
    """Classes and labels keep value and type through labels.json."""
    written = tuple(Label.model_validate({"class": value, "label": label}) for value, label in lines)

    back = label_map.validate_json(label_map.dump_json(written, by_alias=True))

    assert [typed((line.value, line.label)) for line in back] == [typed(line) for line in lines]


@settings(deadline=None)
@given(cells=st.lists(st.none() | st.booleans() | st.integers() | st.text() | finite))
def test_examples_keep_every_bit(cells: list[Any]) -> None:
    """An example row has the same values, of the same types, after the disk."""
    written = Examples(instances=(tuple(cells),), predictions=("short",), probabilities=None)

    back = Examples.model_validate_json(written.model_dump_json()).instances[0]

    assert list(map(repr, back)) == list(map(repr, cells))


@pytest.mark.parametrize("stated", [0, FORMAT + 1, "1", None, [1]], ids=repr)
def test_another_format_is_refused_by_its_number(stated: object) -> None:
    """A manifest of a format that this code does not know is refused, and the message names both."""
    with pytest.raises(ArtifactFormat) as refused:
        parse(changed(format=stated))

    assert str(refused.value) == f"manifest.json has format {stated!r}; this code reads 1 to {FORMAT}"


@pytest.mark.parametrize("stated", [True, 1.0, 2.0])
def test_a_format_is_an_integer(stated: object) -> None:
    """Values that Python considers equal to 1 or 2 are refused."""
    with pytest.raises(ArtifactFormat, match="has format"):
        parse(changed(format=stated))


def test_a_manifest_of_the_first_format_is_converted() -> None:
    """Fields that format 2 added get defaults that are true of format 1."""
    document = json.loads(manifest().model_dump_json())
    del document["training"], document["signature"]["csv_nulls"]
    for column in document["signature"]["columns"]:
        for field in ("null", "categories", "levels", "ordered", "unknown"):
            del column[field]

    lifted = parse(json.dumps({**document, "format": 1}).encode())

    assert lifted == manifest()
    assert (lifted.format, lifted.training, lifted.signature.csv_nulls) == (FORMAT, None, ())


@pytest.mark.parametrize(
    ("name", "sampled"), [("model.joblib, fitted elsewhere; the rows here are", True), ("x", False)]
)
def test_a_sample_is_recognised_by_its_source(name: str, *, sampled: bool) -> None:
    """Manifests of early releases are recognised as described by a sample."""
    document = json.loads(manifest().model_dump_json())
    document["training"] = {"rows": 50, "source": f"{name} a sample, rows.csv"}
    for column in document["signature"]["columns"]:
        del column["sampled"]

    assert parse(json.dumps(document).encode()).is_sampled == sampled


@pytest.mark.parametrize(
    "document",
    [b"", b"{", b"[]", b"null", b'"format"', b"{}", b"\xff\xfe", b"[" * 100_000, b'{"format": ' + b"9" * 5000 + b"}"],
    ids=["empty", "cut", "list", "null", "text", "object", "binary", "deep", "digits"],
)
def test_a_document_without_a_format_is_refused(document: bytes) -> None:
    """Anything but an object with a format is an ArtifactFormat, never an error of the parser."""
    with pytest.raises(ArtifactFormat, match="has no format"):
        parse(document)


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"surprise": 1}, "surprise"),
        ({"version": 0}, "version"),
        ({"created_at": "2026-01-02T03:04:05"}, "created_at"),
        ({"task": "clustering"}, "task"),
        ({"classes": [1.5]}, "classes.0"),
        ({"classes": []}, "a classifier has classes, and a regressor has none"),
        ({"task": "regression"}, "a classifier has classes, and a regressor has none"),
        ({"files": {"model.joblib": "ABC"}}, "files.model.joblib"),
        ({"scores": {"accuracy": None}}, "scores.accuracy"),
    ],
    ids=lambda case: case if isinstance(case, str) else None,
)
def test_an_invalid_field_is_named(fields: dict[str, Any], where: str) -> None:
    """The error has the name of an unknown field or one of a wrong type."""
    with pytest.raises(ArtifactFormat, match=r"^manifest\.json is invalid") as refused:
        parse(changed(**fields))

    assert where in str(refused.value)


@pytest.mark.parametrize("field", ["model", "classes", "examples", "files", "tolerance"])
def test_a_missing_field_is_named(field: str) -> None:
    """The error has the name of the field."""
    document = json.loads(changed())
    del document[field]

    with pytest.raises(ArtifactFormat, match=f"{field}: Field required"):
        parse(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda document: document.pop("signature"), "signature: Field required"),
        (lambda document: document["signature"].update(columns=[{"name": "a"}]), "signature.columns.0.kind"),
        (lambda document: document["signature"]["columns"][0].pop("dtype"), "signature.columns.0.dtype: Field"),
        (lambda document: document["signature"]["columns"][0].update(dtype="float7"), "is not a dtype"),
        (lambda document: document["signature"]["columns"][0].update(dtype=None), "signature.columns.0.dtype"),
        (lambda document: document["signature"]["columns"].append(document["signature"]["columns"][0]), "same name"),
    ],
    ids=["no signature", "no kind", "no dtype", "unknown dtype", "null for a dtype", "the same name twice"],
)
def test_invalid_columns_are_a_schema_error(change: Callable[[dict[str, Any]], object], where: str) -> None:
    """Invalid columns are an ArtifactSchema."""
    document = json.loads(changed())
    change(document)

    with pytest.raises(ArtifactSchema, match=where):
        parse(json.dumps(document).encode())


@pytest.mark.parametrize("name", ["iris", "0", "a" * 64, "iris-2.large_x", "7.5"])
def test_a_valid_name_is_returned(name: str) -> None:
    """Lower-case letters, digits, dots, dashes and underscores are allowed."""
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "-a", "_a", "Iris", "a/b", "a\\b", "a b", "é", "a\n", "a" * 65, "a\0"])
def test_an_invalid_name_is_refused(name: str) -> None:
    """Names that could leave the store's folder, or differ by case only, are refused."""
    with pytest.raises(NameInvalid):
        check_name(name)
