"""The views of models, as GET /models returns them."""

from pathlib import Path

from artifacts import Store
from artifacts.errors import ArtifactDigest
from serve.api.models import ModelView
from serve.dialects.native.limits import Limits
from serve.inference.loader import load_model
from serve.inference.registry import Failure, ServedModel
from tests.support import tiny_models

LIMITS = Limits()
FAILURE = Failure(ArtifactDigest.slug, "model.joblib was changed")


def test_a_view_has_the_facts_of_the_manifest(tmp_path: Path) -> None:
    """Every loaded version is listed."""
    manifest = tiny_models.make().publish(Store(tmp_path))

    view = ModelView.of(load_model(Store(tmp_path), "tiny", LIMITS))

    [version] = view.versions
    assert (view.name, view.champion, view.aliases, view.unavailable) == ("tiny", 1, {"champion": 1}, [])
    assert [column.name for column in version.columns] == manifest.signature.names
    assert (version.classes, version.scores, version.version) == (["short", "long"], {"accuracy": 1.0}, 1)


def test_a_view_lists_what_could_not_be_loaded() -> None:
    """Versions in ascending order; without a version it is the whole model."""
    versions = ModelView.of(ServedModel("iris", {}, {"champion": 3}, {3: FAILURE, 2: FAILURE}))
    whole = ModelView.of(ServedModel("iris", {}, {}, reason=FAILURE))

    assert [each.version for each in versions.unavailable] == [2, 3]
    assert [(each.version, each.code) for each in whole.unavailable] == [(None, "artifact-digest")]
