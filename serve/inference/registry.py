"""The loaded models, and the one assignment that changes them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

from artifacts import CHAMPION, ArtifactError, Bundle
from artifacts.errors import ArtifactMissing, ArtifactUnreadable, KeyInvalid
from artifacts.hints import did_you_mean
from artifacts.pointers import version_of
from artifacts.text import shorten
from serve.dialects.native.decoder import NativeDecoder
from serve.errors import ModelNotFound, ModelUnavailable, VersionNotLoaded

_STORE_UNREADABLE = "the model store cannot be read; the server tries again every few seconds"


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """
    One loaded version; never changed once built.

    Attributes:
        row_s: How long the model took for one row when it was loaded.
        failed_champion: The version that could not be loaded, if this one replaces it as champion.
    """

    name: str
    version: int
    bundle: Bundle
    native: NativeDecoder
    row_s: float = 0.0
    failed_champion: int | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a model or a version is not served: the slug of the error, and its message, which contains no path."""

    code: str
    detail: str

    @property
    def is_temporary(self) -> bool:
        """Whether the store may return the files later: a volume may be unavailable for a while."""
        return self.code in {ArtifactUnreadable.slug, ArtifactMissing.slug}

    @classmethod
    def of(cls, error: ArtifactError) -> "Failure":
        """Use the store's own message, except for an invalid key, whose message contains the path of the key."""
        if isinstance(error, KeyInvalid):
            detail = "a trusted key of this server is invalid; run python -m artifacts verify there to see which"
            return cls(error.slug, detail)
        return cls(error.slug, str(error))


LOADING = Failure("model-loading", "it is still being loaded")


@dataclass(frozen=True, slots=True)
class ServedModel:
    """
    One model: its loaded versions, its aliases, and why versions or the whole model could not be loaded.

    Attributes:
        failed_champion: The version that could not be loaded, if the alias points to a former champion instead.
    """

    name: str
    versions: Mapping[int, LoadedModel]
    aliases: Mapping[str, int]
    failures: Mapping[int, Failure] = field(default_factory=dict)
    reason: Failure | None = None
    failed_champion: int | None = None

    @property
    def champion(self) -> LoadedModel | None:
        """The version that answers by default, if it is loaded."""
        return self.versions.get(self.aliases.get(CHAMPION, 0))

    @property
    def is_loading(self) -> bool:
        """Whether the model is still being loaded."""
        return self.reason is LOADING

    @property
    def all_failures(self) -> list[tuple[int | None, Failure]]:
        """The failure of the whole model, under None, then those of its versions."""
        whole: list[tuple[int | None, Failure]] = [(None, self.reason)] if self.reason else []
        return [*whole, *sorted(self.failures.items())]

    @property
    def is_unreadable(self) -> bool:
        """Whether the store could not return a part of the model, which it may do later."""
        return any(failure.is_temporary for _, failure in self.all_failures)

    @property
    def problems(self) -> list[str]:
        """One line for each part of the model that is not served, with the reason."""
        return [
            f"{self.name}{'' if version is None else f'@{version}'} is not served: {failure.detail}"
            for version, failure in self.all_failures
        ]


class Registry:
    """The models that can be called now."""

    def __init__(self, *, default: str = "") -> None:
        self._default = default
        self._models: Mapping[str, ServedModel] = MappingProxyType({})
        self.is_away = False
        self.generation = 0

    def replace(self, models: Iterable[ServedModel], *, is_away: bool = False) -> None:
        """Serve these models, and only these; `is_away` if the store cannot be read, so that it may have others."""
        # One assignment is the whole change: a request that already holds a
        # LoadedModel finishes on it, the next request sees the new mapping.
        self._models = MappingProxyType({model.name: model for model in models})
        self.is_away = is_away
        self.generation += 1

    def put(self, model: ServedModel) -> None:
        """Serve this model instead of the one that had its name."""
        self.replace({**self._models, model.name: model}.values())

    @property
    def is_loading(self) -> bool:
        """Whether a model is still being loaded."""
        return any(model.is_loading for model in self._models.values())

    @property
    def notice(self) -> str:
        """One line about what is wrong with the store or the default model; empty if nothing is."""
        if self.is_away:
            return _STORE_UNREADABLE
        if not self._default or self._default in self._models:
            return ""
        hint = did_you_mean(self._default, self._models)
        return f"SEPAL_DEFAULT_MODEL: the store has no model '{shorten(self._default)}'{hint}"

    def all(self) -> list[ServedModel]:
        """Return every model, sorted by name."""
        return [self._models[name] for name in sorted(self._models)]

    def find(self, name: str) -> ServedModel:
        """
        Return one model with all its versions.

        Raises:
            ModelNotFound: There is no model of that name.
            ModelUnavailable: The store cannot be read, so the model may exist.
        """
        if name in self._models:
            return self._models[name]
        hint = partial(did_you_mean, name, self._models)
        raise self._not_found("no such model; GET /api/v1/models lists them", hint=hint)

    def default(self) -> str:
        """
        Return the name of the model that is used when a request names none.

        Raises:
            ModelNotFound: None is set, and there is not exactly one.
            ModelUnavailable: The store cannot be read, so the default model may exist.
        """
        if self._default in self._models:
            return self._default
        advice = "name a model: /models/<model>/predict"
        if self._default:
            raise self._not_found(f"the store does not have the default model of this server; {advice}")
        if len(self._models) == 1:
            return next(iter(self._models))
        raise self._not_found(f"there is no default model; {advice}, or set SEPAL_DEFAULT_MODEL")

    def get(self, name: str | None, reference: str | None = None) -> LoadedModel:
        """
        Resolve a model and a version or alias to the loaded version.

        Args:
            name: The model, or None for the default one.
            reference: A version number or an alias; None is the champion.

        Raises:
            ModelNotFound: There is no such model.
            VersionNotLoaded: The model is not served in that version.
            ModelUnavailable: The store has that version, but it could not be loaded, or is still being loaded.
        """
        model = self.find(name or self.default())
        version = version_of(CHAMPION if reference is None else reference, model.aliases)
        if model.is_loading:
            raise ModelUnavailable("the model is still being loaded; try again in a few seconds")
        if model.reason or version in model.failures:
            raise ModelUnavailable("the model could not be loaded; the server log has the reason")
        if version is None or version not in model.versions:
            raise VersionNotLoaded("this version is not loaded; at start the server loads versions with an alias")
        return model.versions[version]

    def _not_found(self, message: str, **more: partial[str]) -> ModelNotFound | ModelUnavailable:
        return ModelUnavailable(_STORE_UNREADABLE) if self.is_away else ModelNotFound(message, **more)
