"""Load the versions of a model that its aliases point to."""

from dataclasses import replace
from timeit import repeat

from artifacts import CHAMPION, ArtifactError, Bundle, Store
from artifacts.text import class_name
from serve.dialects.native.decoder import NativeDecoder
from serve.dialects.native.limits import Limits
from serve.inference.registry import Failure, LoadedModel, ServedModel

# Calls for which each model is timed when it is loaded.
_TIMED_CALLS = 3
# Former champions that are tried instead of one that cannot be loaded.
_MAX_FORMER = 5


def load_model(store: Store, name: str, limits: Limits, *, fallback: bool = True) -> ServedModel:
    """
    Load every version of a model that an alias points to; one that cannot be loaded becomes a failure with its reason.

    Args:
        store: Has the model.
        name: Of the model.
        limits: The limits of a request.
        fallback: Whether a former champion replaces a champion that cannot be loaded.
    """
    try:
        aliases = dict(store.aliases(name))
    except ArtifactError as error:
        return ServedModel(name, {}, {}, reason=Failure.of(error))
    loaded = {version: _load_version(store, name, version, limits) for version in sorted(set(aliases.values()))}
    champion, failed_champion = aliases.get(CHAMPION, 0), None
    if fallback and isinstance(loaded.get(champion), Failure):
        former = _load_former_champion(store, name, limits, loaded)
        if former:
            failed_champion = champion
            aliases[CHAMPION] = former.version
            loaded[former.version] = replace(former, failed_champion=champion)
    versions = {version: result for version, result in loaded.items() if isinstance(result, LoadedModel)}
    failures = {version: result for version, result in loaded.items() if isinstance(result, Failure)}
    return ServedModel(name, versions, aliases, failures, failed_champion=failed_champion)


def _load_version(store: Store, name: str, version: int, limits: Limits) -> LoadedModel | Failure:
    try:
        bundle = store.load(name, version)
        return LoadedModel(name, version, bundle, NativeDecoder(bundle.manifest, limits), _row_s(bundle))
    except ArtifactError as error:
        return Failure.of(error)
    except Exception as error:  # noqa: BLE001  # an invalid version never prevents that others are loaded
        return Failure(ArtifactError.slug, f"it cannot be served: {class_name(error)}")


def _load_former_champion(
    store: Store, name: str, limits: Limits, loaded: dict[int, LoadedModel | Failure]
) -> LoadedModel | None:
    """Return the latest former champion that can be loaded, and add the results of all attempts to `loaded`."""
    try:
        former = store.former_champions(name)
    except ArtifactError:
        return None
    for version in [version for version in former if not isinstance(loaded.get(version), Failure)][:_MAX_FORMER]:
        result = loaded.get(version) or _load_version(store, name, version, limits)
        loaded[version] = result
        if isinstance(result, LoadedModel):
            return result
    return None


def _row_s(bundle: Bundle) -> float:
    """Return the shortest time that the model takes for one row, in seconds; 0 if it has no examples."""
    examples = bundle.manifest.examples.instances
    if not examples:
        return 0.0
    table = bundle.manifest.signature.assemble(examples[:1])
    return min(repeat(lambda: bundle.predict(table), number=1, repeat=_TIMED_CALLS))
