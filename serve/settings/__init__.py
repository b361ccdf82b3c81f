"""Every setting of the server, its default and its reason; the README lists the same, by test."""

import json
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)
from pydantic_settings import NoDecode

from artifacts.settings import ArtifactSettings, HomePath, in_home
from artifacts.signing import parse_keys
from artifacts.text import shorten
from serve.settings import secret_strength


def _known_limit(text: str) -> str:
    # limits takes 100 ms to import, which the command line can do without.
    if (
        text != "off"
        and re.fullmatch(r"[1-9][0-9]{0,11} ?/ ?([1-9][0-9]{0,5} ?)?(second|minute|hour|day)s?", text) is None
    ):
        raise ValueError("a limit is N/second, N/minute, N/hour or N/day, or N/15minutes; `off` is none")
    return text


Limit: TypeAlias = Annotated[str, AfterValidator(_known_limit)]


def _list(example: str) -> WrapValidator:
    """Read a list from JSON, or from items separated by commas, as in the example."""

    def read(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(_items(value))
        except ValueError as error:
            raise ValueError(f"expected a list, separated by commas or as JSON, such as {example}") from error

    return WrapValidator(read)


def _items(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [item.strip() for item in value.split(",") if item.strip()]


def _mapping(example: str) -> WrapValidator:
    """Read a mapping from JSON, or from items `name=value` separated by commas, as in the example."""

    def read(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(_pairs(value))
        except ValueError as error:
            raise ValueError(f"expected name=value, separated by commas, or JSON, such as {example}") from error

    return WrapValidator(read)


def _pairs(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("{"):
        return json.loads(value)
    pairs = [item.split("=", 1) for item in _items(value)]
    return {name.strip(): given.strip() for name, given in pairs}


SECRET_BYTES = 32
# Examples, for the description and for the error.
_PROXIES = "10.0.0.0/8, 192.0.2.1"
_ORIGINS = "https://example.org, https://example.com"
_NULLS = "NA, null"
OIDC_SCOPES = "caller=predict batch, viewer=models:read"
OIDC_ALGORITHMS = frozenset({"ES256", "RS256"})


class Settings(ArtifactSettings):
    """Read once at start-up, from `SEPAL_...` variables and `.env`; the variables win."""

    state: HomePath = Field(Path(".sepal"), description="Folder for the SQLite file and for generated secrets.")
    database_url: SecretStr = Field(
        SecretStr(""), description="SQLAlchemy URL; empty means SQLite in the state folder. `postgresql+psycopg://...`"
    )
    default_model: str = Field("", description="What `/predict` means; empty means the only model of the store.")

    fallback: bool = Field(
        True, description="Whether a model whose champion cannot be loaded is served by the champion before it."
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    workers: PositiveInt = Field(1, description="Processes that answer.")
    shutdown_s: PositiveInt = Field(30, description="How long requests in flight may take to finish at shutdown.")

    max_connections: PositiveInt = Field(1000, description="Connections of one process; beyond it 503.")
    max_headers: PositiveInt = Field(100, description="Headers of a request; beyond it 431.")
    max_header_bytes: PositiveInt = Field(16 * 2**10, description="Size of its target and headers; beyond it 431.")
    headers_s: PositiveFloat = Field(10, description="How long the target and headers may take to come; beyond it 408.")
    body_bytes_s: PositiveInt = Field(1024, description="Bytes a second that a body must bring; below it 408.")
    body_grace_s: PositiveFloat = Field(10, description="How long a body may bring less at a time.")
    reader_s: PositiveFloat = Field(20, description="How long a client may take nothing of its answer.")
    keep_alive_s: PositiveFloat = Field(20, description="How long a connection may stay open without a request.")

    threads: PositiveInt = Field(4, description="Calls that may compute at once in one process.")
    model_threads: PositiveInt = Field(
        1, description="Threads of BLAS and OpenMP within one call, as far as all workers together have cores."
    )
    deadline_s: PositiveFloat = Field(10, description="How long a prediction may take or wait; beyond it 504.")
    call_rows: PositiveInt = Field(1024, description="Rows of several requests that are predicted in one call.")
    queue_rows: PositiveInt = Field(100_000, description="Rows that may wait for one model; beyond it 503.")
    cache_rows: NonNegativeInt = Field(
        10_000, description="Rows remembered of each version whose model is slower than remembering; 0 is none."
    )
    login_threads: PositiveInt = Field(2, description="Passwords that may be verified at once in one process.")

    secret_key: SecretStr = Field(
        SecretStr(""), description="Signs tokens: at least 32 bytes. Development generates one."
    )
    token_keys: str = Field(
        "", description="File of the keys that sign tokens (JWKS with private keys); empty means the secret alone."
    )
    token_issuer: str = Field("sepal", min_length=1, description="`iss` of the tokens.")
    token_audience: str = Field("sepal", min_length=1, description="`aud` of the tokens; one per deployment.")
    token_ttl_s: PositiveInt = Field(600, le=86_400, description="How long a token is good.")
    refresh_ttl_s: PositiveInt = Field(
        604_800, le=31_536_000, description="How long a session lives, however often it is refreshed."
    )
    revocation_poll_s: float = Field(
        1, gt=0, le=2, description="How often a process looks what the others revoked; at most 2."
    )
    login_failures: PositiveInt = Field(5, description="Failed logins of one name within the window; the next is 429.")
    login_failures_address: PositiveInt = Field(
        29, description="Failed logins from one address, of IPv6 its /64, within the window; the next is 429."
    )
    login_window_s: PositiveInt = Field(900, description="How long a failed login counts.")
    audit_days: NonNegativeInt = Field(365, description="How long the audit is kept; 0 is for ever.")

    rate_predict: Limit = Field(
        "1000000/minute", description="How often each caller may ask for predictions, as `N/minute`; `off`: no limit."
    )
    rate_batch: Limit = Field("600/minute", description="The same for uploads of CSV.")
    rate_read: Limit = Field("6000/minute", description="The same for everything else that needs a token.")
    rate_change: Limit = Field("60/minute", description="The same for what changes something: passwords, sessions.")
    rate_login: Limit = Field(
        "60/minute", description="The same for tokens, by address: logins, refreshes, revocations."
    )
    rate_rows: Limit = Field("off", description="For how many rows each caller may ask, by JSON and CSV together.")
    redis_url: SecretStr = Field(
        SecretStr(""),
        description="`redis://...` counts for all processes; empty: each has its share, 1/workers/replicas.",
    )
    redis_wait_ms: PositiveInt = Field(20, description="How long a request may wait for Redis before it is lost.")
    replicas: PositiveInt = Field(1, description="Servers that share the limits, where each has to count for itself.")
    trusted_proxies: Annotated[tuple[str, ...], NoDecode, _list(_PROXIES)] = Field(
        (), description=f"Addresses or networks whose `X-Forwarded-For` is believed: `{_PROXIES}`."
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode, _list(_ORIGINS)] = Field(
        (), description=f"Whose pages may ask from a browser: `{_ORIGINS}`; production refuses `*`."
    )
    oidc_issuer: str = Field("", description="`iss` of an OpenID Connect provider whose tokens count too.")
    oidc_audience: str = Field("", description="`aud` that its tokens must name; needed with an issuer.")
    oidc_jwks: str = Field(
        "", description="Its public keys, a file or `https://...`; empty means where the issuer says."
    )
    oidc_algorithms: str = Field("RS256 ES256", description="Algorithms that its tokens may be signed with.")
    oidc_scope_claim: str = Field(
        "scope", min_length=1, description="Claim that says how far a token reaches: `scp`, `realm_access.roles`."
    )
    oidc_scopes: Annotated[dict[str, str] | None, NoDecode, _mapping(OIDC_SCOPES)] = Field(
        None, description=f"Our scopes by its values: `{OIDC_SCOPES}`; unset: values that are our scopes."
    )
    oidc_refresh_s: PositiveFloat = Field(300, description="How often its public keys are looked up.")

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least level logged.")
    log_format: Literal["auto", "json", "text"] = Field("auto", description="`auto` is text in a terminal, else JSON.")
    open_docs: bool | None = Field(
        None, description="Whether `/docs`, `/redoc` and `/openapi.json` exist; unset: only in development."
    )
    open_metrics: bool = Field(False, description="Whether `/metrics` needs no token.")
    error_values: bool | None = Field(
        None, description="Whether errors show the value that was sent; unset: only in development."
    )
    canary_interval_s: PositiveFloat = Field(5, description="How old the last canary prediction may be.")

    max_json_bytes: PositiveInt = Field(4 * 2**20, description="Size of a JSON body; beyond it 413.")
    max_csv_bytes: PositiveInt = Field(64 * 2**20, description="Size of a CSV upload; beyond it 413.")
    max_form_bytes: PositiveInt = Field(16 * 2**10, description="Size of a login form; beyond it 413.")
    max_depth: PositiveInt = Field(32, description="Nesting of a JSON body; beyond it 400.")
    max_rows: PositiveInt = Field(1000, description="Rows in a JSON request; beyond it 422.")
    max_columns: PositiveInt = Field(1024, description="Values in a row of a JSON request; beyond it 422.")
    max_digits: PositiveInt = Field(64, le=300, description="Digits of an integer; beyond it 422.")
    max_errors: PositiveInt = Field(20, description="Mistakes listed in an error; the others are counted.")
    max_csv_columns: PositiveInt = Field(4096, description="Columns of a CSV; beyond it 422.")
    max_cell_bytes: PositiveInt = Field(64 * 2**10, description="Length of a CSV cell; beyond it 422.")
    unknown_names: Literal["refuse", "ignore"] = Field(
        "refuse", description="What becomes of a name that is not a column: 422, or passed over."
    )
    csv_nulls: Annotated[tuple[str, ...], NoDecode, _list(_NULLS)] = Field(
        (), description=f"CSV cells that are null besides the empty one: `{_NULLS}`."
    )
    csv_escape: Literal["written", "all"] = Field(
        "written", description="Which CSV cells are kept from running as a formula: those we write, or all."
    )

    @property
    def shows_docs(self) -> bool:
        """Whether the documentation is served."""
        return not self.is_production if self.open_docs is None else self.open_docs

    @property
    def shows_values(self) -> bool:
        """Whether errors show the value that was sent."""
        return not self.is_production if self.error_values is None else self.error_values

    @property
    def database(self) -> str:
        """The SQLAlchemy URL, SQLite's filled in."""
        return self.database_url.get_secret_value() or f"sqlite:///{self.state / 'sepal.db'}"

    @field_validator("oidc_algorithms")
    @classmethod
    def _algorithms_are_known(cls, algorithms: str) -> str:
        names = algorithms.replace(",", " ").split()
        if not names or not set(names) <= OIDC_ALGORITHMS:
            raise ValueError(f"expected one or more of {' '.join(sorted(OIDC_ALGORITHMS))}")
        return " ".join(names)

    @field_validator("database_url")
    @classmethod
    def _database_is_known(cls, url: SecretStr) -> SecretStr:
        kept_elsewhere = ("postgresql+psycopg://", "sqlite:///")
        text = url.get_secret_value()
        if text and not text.startswith(kept_elsewhere):
            raise ValueError(f"it must begin with {' or '.join(kept_elsewhere)}")
        scheme, is_sqlite, file = text.partition("sqlite:///")
        # Neither a database in memory nor SQLite's own URI is a path.
        if not is_sqlite or scheme or not file or file.startswith((":", "file:")):
            return url
        return SecretStr(f"sqlite:///{in_home(Path(file))}")

    @field_validator("token_keys", "oidc_jwks")
    @classmethod
    def _files_are_in_home(cls, file: str) -> str:
        return str(in_home(Path(file))) if file and "://" not in file else file

    @field_validator("redis_url")
    @classmethod
    def _redis_is_known(cls, url: SecretStr) -> SecretStr:
        if url.get_secret_value() and not url.get_secret_value().startswith(("redis://", "rediss://")):
            raise ValueError("it must begin with redis:// or rediss://")
        return url

    @field_validator("cors_origins")
    @classmethod
    def _origins_are_complete(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            # Browsers send scheme, host and port, so that anything else would match no page.
            if origin != "*" and re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/?#\s]+", origin) is None:
                host = shorten(re.sub(r"^.*?://|^/+", "", origin).partition("/")[0])
                raise ValueError(
                    f"expected origins with a scheme and without a path, got '{shorten(origin)}'; "
                    f"for example https://{host or 'example.com'}"
                )
        return origins

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_addresses(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            # Anything else, "*" above all, would let every caller choose the address that is counted.
            try:
                ip_network(proxy, strict=False)
            except ValueError as error:
                raise ValueError(f"expected addresses or networks, such as {_PROXIES}") from error
        return proxies

    @model_validator(mode="after")
    def _origins_are_named(self) -> "Settings":
        if self.is_production and "*" in self.cors_origins:
            raise ValueError("SEPAL_CORS_ORIGINS: production names its origins; * is everybody's page")
        return self

    @model_validator(mode="after")
    def _secret_is_real(self) -> "Settings":
        secret = self.secret_key.get_secret_value()
        reason = secret_strength.misplaced(secret)
        if self.is_production and not reason:
            reason = self._weakness(secret)
        if reason:
            raise ValueError(
                f"SEPAL_SECRET_KEY {reason}; make one with: "
                "python -c 'import secrets; print(secrets.token_urlsafe(48))'"
            )
        return self

    def _weakness(self, secret: str) -> str:
        if not secret:
            return "" if self.token_keys else f"is missing: production needs at least {SECRET_BYTES} bytes"
        if len(secret.encode()) < SECRET_BYTES:
            return f"is too short: production needs at least {SECRET_BYTES} bytes"
        return secret_strength.weakness(secret)

    @model_validator(mode="after")
    def _audience_is_named(self) -> "Settings":
        if self.oidc_issuer and not self.oidc_audience:
            raise ValueError("SEPAL_OIDC_AUDIENCE is missing: without it, tokens for anybody would count")
        return self

    @model_validator(mode="after")
    def _somebody_is_trusted(self) -> "Settings":
        if self.is_production and not parse_keys(self.trusted_keys):
            raise ValueError(
                "SEPAL_TRUSTED_KEYS is missing: production loads only what a key signed that it names; "
                "python -m artifacts keygen makes one, and prints the line"
            )
        return self
