"""The registry: which model and version a request gets, and what it reports about models that are not served."""

from typing import Any, cast

import pytest

from artifacts.errors import ArtifactDigest, ArtifactMissing
from serve.errors import ModelNotFound, ModelUnavailable, VersionNotLoaded
from serve.inference.registry import LOADING, Failure, LoadedModel, Registry, ServedModel

DAMAGED = Failure(ArtifactDigest.slug, "model.joblib was changed")
AWAY = Failure(ArtifactMissing.slug, "there is no such version")


def make(name: str, *versions: int, **more: Any) -> ServedModel:
    """Return a model whose versions have no bundle; the last one is champion."""
    loaded = {version: LoadedModel(name, version, cast(Any, None), cast(Any, None)) for version in versions}
    return ServedModel(name, loaded, {"champion": versions[-1]} if versions else {}, **more)


def make_registry(*models: ServedModel, default: str = "", is_away: bool = False) -> Registry:
    """Return a registry of these models."""
    registry = Registry(default=default)
    registry.replace(models, is_away=is_away)
    return registry


def test_replace_leaves_requests_in_flight_alone() -> None:
    """A request that holds a version keeps it after a swap, and the generation grows."""
    registry = make_registry(make("iris", 1))
    held, generation = registry.get("iris"), registry.generation

    registry.put(make("iris", 1, 2))

    assert (held.version, registry.get("iris").version) == (1, 2)
    assert registry.generation == generation + 1


def test_a_version_is_found_by_number_or_alias() -> None:
    """Without a reference it is the champion; a version that is not loaded is an error of its own."""
    registry = make_registry(make("iris", 1, 2))

    assert [registry.get("iris", reference).version for reference in (None, "champion", "1", "2")] == [2, 2, 1, 2]
    for reference in ("3", "challenger", ""):
        with pytest.raises(VersionNotLoaded):
            registry.get("iris", reference)


def test_an_unknown_name_comes_with_a_hint() -> None:
    """The hint is computed only when it is called."""
    with pytest.raises(ModelNotFound) as caught:
        make_registry(make("iris", 1)).get("irsi")

    assert caught.value.hint() == "; did you mean iris?"


@pytest.mark.parametrize(("models", "default", "name"), [
    (["iris"], "", "iris"),
    (["iris", "rose"], "rose", "rose"),
    (["iris", "rose"], "", None),
    (["iris"], "rose", None),
    ([], "", None),
])  # fmt: skip
def test_the_default_is_the_configured_or_the_only_model(models: list[str], default: str, name: str | None) -> None:
    """A configured default that does not exist is never replaced by the only model."""
    registry = make_registry(*(make(model, 1) for model in models), default=default)

    if name:
        assert registry.get(None).name == name
        return
    with pytest.raises(ModelNotFound, match=r"/models/<model>/predict"):
        registry.get(None)


@pytest.mark.parametrize("name", [None, "iris"])
@pytest.mark.parametrize("default", ["", "iris"])
def test_an_unreadable_store_makes_models_unavailable(name: str | None, default: str) -> None:
    """While the store cannot be read, an unknown model is not reported as missing."""
    registry = make_registry(is_away=True, default=default)

    with pytest.raises(ModelUnavailable, match="cannot be read"):
        registry.get(name)
    assert "cannot be read" in registry.notice


@pytest.mark.parametrize(("model", "message"), [
    (make("iris", reason=LOADING), "still being loaded"),
    (make("iris", reason=DAMAGED), "could not be loaded"),
    (ServedModel("iris", {}, {"champion": 2}, {2: DAMAGED}), "could not be loaded"),
])  # fmt: skip
def test_a_model_that_is_not_loaded_is_unavailable(model: ServedModel, message: str) -> None:
    """The message says whether trying again helps."""
    registry = make_registry(model)

    assert registry.is_loading is (model.reason is LOADING)
    with pytest.raises(ModelUnavailable, match=message):
        registry.get("iris")


def test_a_notice_names_a_default_model_that_does_not_exist() -> None:
    """It suggests the model that was probably meant."""
    models = [make("rose", 1), make("iris", 1)]

    assert make_registry(*models, default="iris").notice == ""
    assert make_registry(*models, default="irsi").notice == (
        "SEPAL_DEFAULT_MODEL: the store has no model 'irsi'; did you mean iris?"
    )
    assert [model.name for model in make_registry(*models).all()] == ["iris", "rose"]


def test_problems_list_each_part_that_is_not_served() -> None:
    """A failure of the whole model has no version; a part that the store may return later is unreadable."""
    damaged, lost = make("iris", 1, failures={2: DAMAGED, 3: AWAY}), make("rose", reason=DAMAGED)

    assert damaged.problems == [
        "iris@2 is not served: model.joblib was changed",
        "iris@3 is not served: there is no such version",
    ]
    assert lost.problems == ["rose is not served: model.joblib was changed"]
    assert (damaged.is_unreadable, lost.is_unreadable) == (True, False)
