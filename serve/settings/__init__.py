"""Every setting of the server, its default and its one-sentence description; docs/settings.md lists the same."""

from collections.abc import Iterator
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    ByteSize,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    model_validator,
)

from artifacts.settings import ArtifactSettings, Expected, HomePath, in_home
from artifacts.signing import parse_keys
from serve.settings import secret_strength
from serve.settings.formats import DEFAULT_RATES, ListFormat, Lockout, MappingFormat, Rates, Size

OIDC_SCOPES = "caller=predict batch, viewer=models:read"
_ORIGIN = r"\*|[a-z][a-z0-9+.-]*://[^/?#\s]+"

Exposable: TypeAlias = Literal["docs", "metrics", "values", "none"]


def _in_home(file: str) -> str:
    return str(in_home(Path(file))) if file and "://" not in file else file


def _with_scheme(url: SecretStr, *, schemes: tuple[str, ...]) -> SecretStr:
    if url.get_secret_value() and not url.get_secret_value().startswith(schemes):
        raise ValueError(f"it must begin with {' or '.join(schemes)}")
    return url


def _sqlite_in_home(url: SecretStr) -> SecretStr:
    file = url.get_secret_value().removeprefix("sqlite:///")
    # A database in memory and SQLite's own URI are not paths.
    is_path = file != url.get_secret_value() and file and not file.startswith((":", "file:"))
    return SecretStr(f"sqlite:///{in_home(Path(file))}") if is_path else url


def _network(text: str) -> str:
    # Anything else, "*" above all, would let every caller choose the address that is counted.
    ip_network(text, strict=False)
    return text


class Settings(ArtifactSettings):
    """Read once at start-up, from `SEPAL_...` variables and `.env`; the variables win."""

    state: HomePath = Field(
        Path(".sepal"), description="Folder of the SQLite database and of the secrets that development generates."
    )
    database_url: Annotated[
        SecretStr,
        AfterValidator(partial(_with_scheme, schemes=("postgresql+psycopg://", "sqlite:///"))),
        AfterValidator(_sqlite_in_home),
    ] = Field(
        SecretStr(""),
        description="SQLAlchemy URL of the database, `postgresql+psycopg://...`; empty: SQLite in the state folder.",
    )
    default_model: str = Field("", description="Model that `/predict` uses; empty: the only model of the store.")
    fallback: bool = Field(True, description="Serve the previous champion if the champion cannot be loaded.")

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    workers: PositiveInt = Field(1, description="Number of worker processes.")
    shutdown_s: PositiveInt = Field(30, description="Let requests in flight finish for this many seconds at shutdown.")
    max_connections: PositiveInt = Field(
        1000, description="Answer 503 to further connections of one process while this many have a request."
    )
    keep_alive_s: PositiveFloat = Field(
        20, description="Close connections that have had no request for this many seconds."
    )

    threads: PositiveInt = Field(4, description="Run at most this many model calls at once in one process.")
    model_threads: PositiveInt = Field(
        1, description="Threads of BLAS and OpenMP in one model call, at most the cores divided by the workers."
    )
    deadline_s: PositiveFloat = Field(
        10, description="Answer 504 if a prediction takes or waits longer than this many seconds."
    )
    queue_rows: PositiveInt = Field(100_000, description="Answer 503 if more than this many rows wait for one model.")
    cache_rows: NonNegativeInt = Field(
        10_000, description="Rows to cache of each version whose model is slower than the cache; 0 disables the cache."
    )

    secret_key: SecretStr = Field(
        SecretStr(""), description="Secret of at least 32 bytes that signs tokens. Development generates one."
    )
    token_keys: Annotated[str, AfterValidator(_in_home)] = Field(
        "", description="File of the keys that sign tokens (JWKS with private keys); empty: the secret signs them."
    )
    token_audience: str = Field("sepal", min_length=1, description="`aud` of the tokens; give each deployment its own.")
    token_ttl_s: PositiveInt = Field(600, le=86_400, description="Tokens expire after this many seconds.")
    refresh_ttl_s: PositiveInt = Field(
        604_800, le=31_536_000, description="Sessions end after this many seconds, however often they are refreshed."
    )
    lockout: Lockout = Field(
        "5/15minutes", description="Answer 429 to logins of a name after this many failures within the time."
    )
    audit_days: NonNegativeInt = Field(365, description="Delete audit entries after this many days; 0 keeps them.")

    rates: Rates = Field(
        DEFAULT_RATES,
        description="Requests that each caller may make, by kind: `predict`, `batch` (CSV), `read`, `change`, `login` "
        "(by address); `rows` limits rows. Kinds left out keep their default.",
    )
    redis_url: Annotated[SecretStr, AfterValidator(partial(_with_scheme, schemes=("redis://", "rediss://")))] = Field(
        SecretStr(""),
        description="Count requests of all processes together in Redis, `redis://...`; empty: each process allows "
        "1/workers/replicas of each rate.",
    )
    replicas: PositiveInt = Field(1, description="Number of servers that share the rates when there is no Redis.")
    trusted_proxies: Annotated[
        tuple[Annotated[str, AfterValidator(_network)], ...],
        *ListFormat,
        Expected("addresses or networks, separated by commas", "10.0.0.0/8, 192.0.2.1"),
    ] = Field((), description="Addresses or networks of proxies whose `X-Forwarded-For` is used.")
    cors_origins: Annotated[
        tuple[Annotated[str, Field(pattern=f"^({_ORIGIN})$")], ...],
        *ListFormat,
        Expected("origins with a scheme and without a path, separated by commas", "https://example.org"),
    ] = Field((), description="Origins whose pages may call the API from a browser; production refuses `*`.")

    oidc_issuer: str = Field("", description="Also accept tokens of this OpenID Connect provider (their `iss`).")
    oidc_audience: str = Field("", description="`aud` that the provider's tokens must have; required with an issuer.")
    oidc_jwks: Annotated[str, AfterValidator(_in_home)] = Field(
        "", description="The provider's public keys, a file or `https://...`; empty: the address that it publishes."
    )
    oidc_scope_claim: str = Field(
        "scope", min_length=1, description="Claim with the scopes of the provider's tokens, such as `scp`."
    )
    oidc_scopes: Annotated[
        dict[str, str] | None,
        *MappingFormat,
        Expected("name=scopes pairs, separated by commas", OIDC_SCOPES),
    ] = Field(None, description=f"Our scopes for each value of the claim, `{OIDC_SCOPES}`; unset: the same names.")

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe level to log.")
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="Format of the log; `auto` is text in a terminal and JSON elsewhere."
    )
    expose: Annotated[
        tuple[Exposable, ...] | None,
        *ListFormat,
        Expected("any of docs, metrics and values, separated by commas, or none", "docs,metrics"),
    ] = Field(
        None,
        description="Expose `docs`, `metrics` without a token, and in errors the `values` that were sent; unset: "
        "`docs,values` in development, `none` in production.",
    )

    max_json_bytes: Size = Field(ByteSize(4 * 2**20), description="Answer 413 to larger JSON bodies.")
    max_csv_bytes: Size = Field(ByteSize(64 * 2**20), description="Answer 413 to larger CSV uploads.")
    max_rows: PositiveInt = Field(1000, description="Answer 422 to JSON requests with more rows.")
    csv_escape: Literal["written", "all"] = Field(
        "written",
        description="Escape CSV cells that a spreadsheet would run as a formula: those that the server writes, or "
        "`all`.",
    )

    def exposes(self, what: Exposable) -> bool:
        """Return whether everyone may see it."""
        default: tuple[Exposable, ...] = () if self.is_production else ("docs", "values")
        return what in (default if self.expose is None else self.expose)

    @property
    def database(self) -> str:
        """The SQLAlchemy URL, SQLite's filled in."""
        return self.database_url.get_secret_value() or f"sqlite:///{self.state / 'sepal.db'}"

    @model_validator(mode="after")
    def _is_safe(self) -> "Settings":
        if problem := next(self._problems(), ""):
            raise ValueError(problem)
        return self

    def _problems(self) -> Iterator[str]:
        if self.is_production and "*" in self.cors_origins:
            yield "SEPAL_CORS_ORIGINS: * allows every page: name the origins in production"
        secret = self.secret_key.get_secret_value()
        reason = secret_strength.misplaced(secret)
        if self.is_production and not (self.token_keys and not secret):
            reason = reason or secret_strength.weakness(secret)
        if reason:
            yield (
                f"SEPAL_SECRET_KEY {reason}; make one with: "
                "python -c 'import secrets; print(secrets.token_urlsafe(48))'"
            )
        if self.oidc_issuer and not self.oidc_audience:
            yield "SEPAL_OIDC_AUDIENCE is missing: without it, tokens for other applications would be accepted"
        if self.is_production and not parse_keys(self.trusted_keys):
            yield (
                "SEPAL_TRUSTED_KEYS is missing: production loads only versions that a trusted key signed; "
                "python -m artifacts keygen makes a key and prints the line"
            )
