"""The models in memory, and the one moment at which they change."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from time import perf_counter
from types import MappingProxyType

from artifacts import CHAMPION, ArtifactError, Bundle, Store
from artifacts.errors import ArtifactMissing, ArtifactUnreadable, KeyInvalid
from artifacts.hints import did_you_mean
from artifacts.pointers import version_of
from artifacts.signature import Table
from artifacts.text import class_name, shorten
from serve.dialects.native.decoder import NativeDecoder
from serve.dialects.native.limits import Limits
from serve.errors import ModelNotFound, ModelUnavailable, VersionNotLoaded

# Each model is timed so often when it is loaded.
_ROUNDS = 3
# So many former champions are tried in place of one that cannot be loaded.
_MOST_FORMER = 5


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """
    One loaded version; never changed once built.

    Attributes:
        row_s: How long it took for a row when it was loaded.
        failed_champion: The version that could not be loaded, where this one is champion instead.
    """

    name: str
    version: int
    bundle: Bundle
    native: NativeDecoder
    row_s: float = 0.0
    failed_champion: int | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something is not served: the slug of what is wrong with it, and its words, which hold no path."""

    code: str
    detail: str

    @property
    def is_passing(self) -> bool:
        """Whether the store may hand it out later: a volume may be away for a while."""
        return self.code in {ArtifactUnreadable.slug, ArtifactMissing.slug}

    @classmethod
    def of(cls, error: ArtifactError) -> "Failure":
        """In the store's own words, but for a key of this machine, which they name by its path."""
        if isinstance(error, KeyInvalid):
            return cls(error.slug, "a key of this server is none; python -m artifacts verify, run there, says which")
        return cls(error.slug, str(error))


LOADING = Failure("model-loading", "it is still being loaded")


@dataclass(frozen=True, slots=True)
class Served:
    """
    One model: its loaded versions, which alias means which, and why some, or all of it, could not be loaded.

    Attributes:
        failed_champion: The version that could not be loaded, where the alias means a former champion instead.
    """

    name: str
    versions: Mapping[int, LoadedModel]
    aliases: Mapping[str, int]
    failures: Mapping[int, Failure] = field(default_factory=dict)
    reason: Failure | None = None
    failed_champion: int | None = None

    @property
    def champion(self) -> LoadedModel | None:
        """The version that answers by default, if it is in memory."""
        return self.versions.get(self.aliases.get(CHAMPION, 0))

    @property
    def is_loading(self) -> bool:
        """Whether nothing is known of it yet."""
        return self.reason is LOADING

    @property
    def is_unreadable(self) -> bool:
        """Whether the store did not hand out a part of it, which it may do later."""
        reasons = [*self.failures.values(), *([self.reason] if self.reason else [])]
        return any(reason.is_passing for reason in reasons)

    @property
    def problems(self) -> list[str]:
        """One line for each part of it that is not served, and why."""
        whole = [f"{self.name} is not served: {self.reason.detail}"] if self.reason else []
        return whole + [
            f"{self.name}@{version} is not served: {failure.detail}" for version, failure in self.failures.items()
        ]


class Registry:
    """What can be asked now."""

    def __init__(self, *, default: str = "") -> None:
        self._default = default
        self._models: Mapping[str, Served] = MappingProxyType({})
        self.is_away = False
        self.generation = 0

    def replace(self, models: Iterable[Served], *, is_away: bool = False) -> None:
        """Serve these models, and only these; `is_away` if the store cannot be read, so that there may be others."""
        # One assignment is the whole change: a request that already holds a
        # LoadedModel finishes on it, the next request sees the new mapping.
        self._models = MappingProxyType({model.name: model for model in models})
        self.is_away = is_away
        self.generation += 1

    def put(self, model: Served) -> None:
        """Serve this model, in place of what was known of it."""
        self.replace({**self._models, model.name: model}.values())

    @property
    def is_loading(self) -> bool:
        """Whether a model is still being loaded."""
        return any(model.is_loading for model in self._models.values())

    @property
    def notice(self) -> str:
        """One line about what is wrong with the store or the default model; empty if nothing is."""
        if self.is_away:
            return "the model store cannot be read; the server tries again every few seconds"
        if not self._default or self._default in self._models:
            return ""
        hint = did_you_mean(self._default, self._models)
        return f"SEPAL_DEFAULT_MODEL: the store has no model '{shorten(self._default)}'{hint}"

    def all(self) -> list[Served]:
        """Every model, by name."""
        return [self._models[name] for name in sorted(self._models)]

    def show(self, name: str) -> Served:
        """
        One model with all its versions.

        Raises:
            ModelNotFound: There is none of that name.
            ModelUnavailable: The store cannot be read, so nobody knows.
        """
        if name not in self._models:
            self._demand_store()
            raise ModelNotFound(
                "no such model; GET /api/v1/models lists them", hint=partial(did_you_mean, name, self._models)
            )
        return self._models[name]

    def default(self) -> str:
        """
        The model that is meant when none is named.

        Raises:
            ModelNotFound: None is set, and there is not exactly one.
            ModelUnavailable: The store cannot be read, so nobody knows.
        """
        if self._default in self._models:
            return self._default
        if self._default:
            self._demand_store()
            raise ModelNotFound(
                "the store does not have the default model of this server: name one, /models/<model>/predict"
            )
        if len(self._models) == 1:
            return next(iter(self._models))
        self._demand_store()
        raise ModelNotFound("there is no default model: name one, /models/<model>/predict, or set SEPAL_DEFAULT_MODEL")

    def get(self, name: str | None, reference: str | None = None) -> LoadedModel:
        """
        The version that a request means.

        Args:
            name: The model, or None for the default one.
            reference: A version's number or an alias; None is the champion.

        Raises:
            ModelNotFound: There is no such model.
            VersionNotLoaded: The model is not served in that version.
            ModelUnavailable: The store has that version, and it could not be loaded, or not yet.
        """
        served = self.show(name or self.default())
        version = version_of(CHAMPION if reference is None else reference, served.aliases)
        if served.reason or version in served.failures:
            if served.is_loading:
                raise ModelUnavailable("the model is still being loaded; try again in a few seconds")
            raise ModelUnavailable("the model could not be loaded; the server's log says why")
        if version is None or version not in served.versions:
            raise VersionNotLoaded("the server has not loaded this version: when it starts, it loads what aliases name")
        return served.versions[version]

    def _demand_store(self) -> None:
        if self.is_away:
            raise ModelUnavailable("the model store cannot be read; the server tries again every few seconds")


def load(store: Store, name: str, limits: Limits, *, fallback: bool = True) -> Served:
    """
    Load every version of a model that an alias names. One that cannot be loaded is kept as a failure, with its reason.

    Args:
        store: Where they are.
        name: Of the model.
        limits: What a request may be.
        fallback: Whether a former champion takes the place of one that cannot be loaded.
    """
    served = _load_model(store, name, limits)
    return _with_fallback(store, served, limits) if fallback else served


def _load_model(store: Store, name: str, limits: Limits) -> Served:
    try:
        aliases = store.aliases(name)
    except ArtifactError as error:
        return Served(name, {}, {}, reason=Failure.of(error))
    versions: dict[int, LoadedModel] = {}
    failures: dict[int, Failure] = {}
    for version in sorted(set(aliases.values())):
        loaded = _load_version(store, name, version, limits)
        if isinstance(loaded, Failure):
            failures[version] = loaded
        else:
            versions[version] = loaded
    return Served(name, versions, aliases, failures)


def _load_version(store: Store, name: str, version: int, limits: Limits) -> LoadedModel | Failure:
    try:
        bundle = store.load(name, version)
        return LoadedModel(name, version, bundle, NativeDecoder(bundle.manifest, limits), _row_s(bundle))
    except ArtifactError as error:
        return Failure.of(error)
    except Exception as error:  # noqa: BLE001  # one version, whatever is wrong with it, stops no other
        return Failure(ArtifactError.slug, f"it cannot be served: {class_name(error)}")


def _with_fallback(store: Store, served: Served, limits: Limits) -> Served:
    """Return the model with the latest former champion that can be loaded in place of a champion that cannot."""
    champion = served.aliases.get(CHAMPION)
    if champion is None or champion not in served.failures:
        return served
    try:
        former = store.former_champions(served.name)
    except ArtifactError:
        return served
    failures = dict(served.failures)
    for version in [version for version in former if version not in failures][:_MOST_FORMER]:
        loaded = served.versions.get(version) or _load_version(store, served.name, version, limits)
        if isinstance(loaded, Failure):
            failures[version] = loaded
            continue
        versions = {**served.versions, version: replace(loaded, failed_champion=champion)}
        aliases = {**served.aliases, CHAMPION: version}
        return Served(served.name, versions, aliases, failures, failed_champion=champion)
    return replace(served, failures=failures)


def _row_s(bundle: Bundle) -> float:
    """How long the model takes for one row, at best."""
    examples = bundle.manifest.examples.instances
    table = bundle.manifest.signature.assemble(examples[:1])
    return min((_timed(bundle, table) for _ in range(_ROUNDS)), default=0.0) if examples else 0.0


def _timed(bundle: Bundle, table: Table) -> float:
    start = perf_counter()
    bundle.predict(table)
    return perf_counter() - start
