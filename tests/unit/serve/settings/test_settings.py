"""The settings of the server: what they accept, and what an invalid one prints."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from artifacts.settings import complaints
from serve.settings import Settings
from tests.support.server import environment, run

SECRET = "gUj2wQ0rLx9vTn5bYc8eKd3hZm6pAf1s"


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A home folder without the `.env` of a developer."""
    monkeypatch.setenv("SEPAL_HOME", str(tmp_path))


def complaint(monkeypatch: pytest.MonkeyPatch, **settings: str) -> str:
    """Return the one line with which these settings end the start."""
    for name, text in settings.items():
        monkeypatch.setenv(f"SEPAL_{name.upper()}", text)
    with pytest.raises(ValidationError) as refused:
        Settings()
    [line] = complaints(refused.value, Settings)
    return line


@pytest.mark.parametrize(("name", "text", "value"), [
    ("trusted_proxies", "10.0.0.0/8, 2001:db8::1", ("10.0.0.0/8", "2001:db8::1")),
    ("trusted_proxies", '["10.0.0.0/8"]', ("10.0.0.0/8",)),
    ("trusted_proxies", "10.0.0.1", ("10.0.0.1",)),
    ("trusted_proxies", "", ()),
    ("cors_origins", "https://a.example,https://b.example:8443,", ("https://a.example", "https://b.example:8443")),
    ("oidc_scopes", "caller=predict batch, viewer = models:read", {"caller": "predict batch", "viewer": "models:read"}),
    ("oidc_scopes", '{"caller": "predict batch"}', {"caller": "predict batch"}),
    ("oidc_scopes", "", None),
    ("expose", "docs, metrics", ("docs", "metrics")),
])  # fmt: skip
def test_a_list_is_separated_by_commas_or_json(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object
) -> None:
    """Items separated by commas, with or without blanks, or JSON; an empty text is the default."""
    monkeypatch.setenv(f"SEPAL_{name.upper()}", text)

    assert getattr(Settings(), name) == value


@pytest.mark.parametrize(("name", "text", "expected", "example"), [
    ("port", "abc", "a whole number, at least 0 and at most 65535", "8000"),
    ("port", "65536", "a whole number, at least 0 and at most 65535", "8000"),
    ("workers", "1.5", "a whole number, more than 0", "1"),
    ("refresh_ttl_s", "31536001", "a whole number, more than 0 and at most 31536000", "604800"),
    ("deadline_s", "0", "a number, more than 0", "10"),
    ("fallback", "maybe", "true or false", "true"),
    ("log_level", "loud", "one of debug, info, warning, error", "info"),
    ("environment", "prod", "one of development, production", "development"),
    ("max_csv_bytes", "64 pages", "a size", "64MiB"),
    ("lockout", "never", "failed logins and the time that they are counted for", "5/15minutes"),
    ("trusted_proxies", "my-proxy", "addresses or networks, separated by commas", "10.0.0.0/8, 192.0.2.1"),
    ("trusted_proxies", "*", "addresses or networks, separated by commas", "10.0.0.0/8, 192.0.2.1"),
    ("trusted_proxies", '["10.0.0.0/8"', "addresses or networks, separated by commas", "10.0.0.0/8, 192.0.2.1"),
    ("oidc_scopes", "caller", "name=scopes pairs, separated by commas", "caller=predict batch, viewer=models:read"),
    ("expose", "everything", "any of docs, metrics and values, separated by commas, or none", "docs,metrics"),
])  # fmt: skip
def test_an_invalid_value_is_explained(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, expected: str, example: str
) -> None:
    """The line has the variable, the expected form, the value and an example."""
    variable = f"SEPAL_{name.upper()}"

    line = complaint(monkeypatch, **{name: text})

    assert line == f"{variable}: expected {expected}, got '{text}'; for example {variable}={example}"


@pytest.mark.parametrize(
    "origin", ["example.com", "example.com:8443", "https://example.com/", "//example.com", "https://", "*.example.com"]
)
def test_an_origin_that_no_browser_sends_is_refused(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    """Without a scheme, or with a path, an origin would match no page: the line shows the one that is wrong."""
    line = complaint(monkeypatch, cors_origins=f"https://a.example, {origin}")

    assert line == (
        "SEPAL_CORS_ORIGINS: expected origins with a scheme and without a path, separated by commas, "
        f"got '{origin}'; for example SEPAL_CORS_ORIGINS=https://example.org"
    )


@pytest.mark.parametrize(("name", "text"), [
    ("database_url", "mysql://ada:s3cret@db"),
    ("redis_url", "http://ada:s3cret@redis"),
    ("secret_key", '{"k": "s3cret"}'),
])  # fmt: skip
def test_a_value_that_may_be_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    """Only the name and the reason are printed."""
    line = complaint(monkeypatch, **{name: text})

    assert line.startswith(f"SEPAL_{name.upper()}")
    assert "s3cret" not in line


@pytest.mark.parametrize(("settings", "missing"), [
    ({"environment": "production", "secret_key": ""}, "SEPAL_SECRET_KEY is missing"),
    ({"environment": "production", "secret_key": SECRET[:-1]}, "SEPAL_SECRET_KEY is too short"),
    ({"environment": "production", "secret_key": SECRET, "cors_origins": "*"}, "SEPAL_CORS_ORIGINS: * allows"),
    ({"environment": "production", "secret_key": SECRET, "trusted_keys": ""}, "SEPAL_TRUSTED_KEYS is missing"),
    ({"oidc_issuer": "https://issuer.example"}, "SEPAL_OIDC_AUDIENCE is missing"),
])  # fmt: skip
def test_an_unsafe_combination_is_refused(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], missing: str
) -> None:
    """Production needs a strong secret, named origins and trusted keys; an issuer needs an audience."""
    assert complaint(monkeypatch, **settings).startswith(missing)


def test_a_file_of_keys_needs_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Production with SEPAL_TOKEN_KEYS may have no secret; relative files are in the home folder."""
    for name, text in {"environment": "production", "token_keys": "keys.json"}.items():
        monkeypatch.setenv(f"SEPAL_{name.upper()}", text)

    assert Settings().token_keys == str(tmp_path / "keys.json")


@pytest.mark.parametrize(("environment", "expose", "exposed"), [
    ("development", "", {"docs", "values"}),
    ("development", "none", set()),
    ("production", "", set()),
    ("production", "docs,metrics", {"docs", "metrics"}),
])  # fmt: skip
def test_production_exposes_what_it_names(
    monkeypatch: pytest.MonkeyPatch, environment: str, expose: str, exposed: set[str]
) -> None:
    """By default development exposes documentation and sent values, and production nothing."""
    for name, text in {"environment": environment, "expose": expose, "secret_key": SECRET}.items():
        monkeypatch.setenv(f"SEPAL_{name.upper()}", text)
    settings = Settings()

    assert {what for what in ("docs", "metrics", "values") if settings.exposes(what)} == exposed


@pytest.mark.parametrize(("url", "database"), [
    ("", "sqlite:///{home}/.sepal/sepal.db"),
    ("sqlite:///users.db", "sqlite:///{home}/users.db"),
    ("sqlite:////var/users.db", "sqlite:////var/users.db"),
    ("sqlite:///:memory:", "sqlite:///:memory:"),
    ("postgresql+psycopg://db/sepal", "postgresql+psycopg://db/sepal"),
])  # fmt: skip
def test_a_relative_sqlite_file_is_in_the_home_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, database: str
) -> None:
    """Other URLs are used unchanged."""
    monkeypatch.setenv("SEPAL_DATABASE_URL", url)

    assert Settings().database == database.format(home=tmp_path)


def test_an_invalid_setting_ends_the_start_with_one_line(tmp_path: Path) -> None:
    """No traceback is printed, and no port is opened."""
    ended = run("serve", "run", "--port", "0", env=environment(state=tmp_path, cors_origins='["https://a.example"'))

    assert ended.returncode == 2
    assert ended.stderr == (
        "SEPAL_CORS_ORIGINS: expected origins with a scheme and without a path, separated by commas, "
        "got '[\"https://a.example\"'; for example SEPAL_CORS_ORIGINS=https://example.org\n"
    )
