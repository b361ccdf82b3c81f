"""Settings that are lists or mappings: written as one writes them, as JSON, and what is said where they are neither."""

import pytest
from pydantic import ValidationError

from artifacts.settings import complaints
from serve.settings import Settings
from tests.support.server import environment, run


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No `.env` of a developer."""
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))


@pytest.mark.parametrize(("name", "text", "value"), [
    ("trusted_proxies", "10.0.0.0/8, 2001:db8::1", ("10.0.0.0/8", "2001:db8::1")),
    ("trusted_proxies", '["10.0.0.0/8"]', ("10.0.0.0/8",)),
    ("trusted_proxies", "10.0.0.1", ("10.0.0.1",)),
    ("trusted_proxies", "", ()),
    ("cors_origins", "https://a.example,https://b.example,", ("https://a.example", "https://b.example")),
    ("csv_nulls", "NA, null", ("NA", "null")),
    ("csv_nulls", '["a,b", " NA"]', ("a,b", " NA")),
    ("csv_nulls", "-999", ("-999",)),
    ("oidc_scopes", "caller=predict batch, viewer = models:read", {"caller": "predict batch", "viewer": "models:read"}),
    ("oidc_scopes", '{"caller": "predict batch"}', {"caller": "predict batch"}),
    ("oidc_scopes", "", None),
    ("oidc_algorithms", "RS256,ES256", "RS256 ES256"),
])  # fmt: skip
def test_a_list_is_read_in_either_spelling(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object
) -> None:
    """Items separated by commas, blanks around them or not, or JSON."""
    monkeypatch.setenv(f"SEPAL_{name.upper()}", text)

    assert getattr(Settings(), name) == value


@pytest.mark.parametrize(("name", "text", "example"), [
    ("trusted_proxies", '["10.0.0.0/8"', "10.0.0.0/8, 192.0.2.1"),
    ("trusted_proxies", "my-proxy", "10.0.0.0/8, 192.0.2.1"),
    ("trusted_proxies", "*", "10.0.0.0/8, 192.0.2.1"),
    ("cors_origins", '["https://a.example", 5]', "https://example.org, https://example.com"),
    ("csv_nulls", "[NA]", "NA, null"),
    ("oidc_scopes", "caller", "caller=predict batch, viewer=models:read"),
    ("oidc_scopes", '{"caller": ["predict"]}', "caller=predict batch, viewer=models:read"),
])  # fmt: skip
def test_an_error_names_the_variable_and_an_example(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, example: str
) -> None:
    """One line, which does not show the value."""
    monkeypatch.setenv(f"SEPAL_{name.upper()}", text)

    with pytest.raises(ValidationError) as refused:
        Settings()

    [line] = complaints(refused.value)
    assert line.startswith(f"SEPAL_{name.upper()}: expected ")
    assert line.endswith(f", such as {example}")


@pytest.mark.parametrize(
    ("origin", "example"),
    [
        ("example.com", "https://example.com"),
        ("example.com:8443", "https://example.com:8443"),
        ("https://example.com/", "https://example.com"),
        ("https://example.com/app?x=1", "https://example.com"),
        ("//example.com", "https://example.com"),
        ("https://", "https://example.com"),
    ],
)
def test_an_origin_that_no_browser_sends_is_refused(monkeypatch: pytest.MonkeyPatch, origin: str, example: str) -> None:
    """Without a scheme, or with a path, it would match no page: the line shows it as it should be."""
    monkeypatch.setenv("SEPAL_CORS_ORIGINS", f"https://a.example, {origin}")

    with pytest.raises(ValidationError) as refused:
        Settings()

    [line] = complaints(refused.value, Settings)
    assert line == (
        f"SEPAL_CORS_ORIGINS: expected origins with a scheme and without a path, got '{origin}'; for example {example}"
    )


@pytest.mark.parametrize(("name", "text", "expected", "example"), [
    ("port", "abc", "a whole number, at least 0 and at most 65535", "8000"),
    ("port", "65536", "a whole number, at least 0 and at most 65535", "8000"),
    ("workers", "1.5", "a whole number, more than 0", "1"),
    ("refresh_ttl_s", "31536001", "a whole number, more than 0 and at most 31536000", "604800"),
    ("revocation_poll_s", "9", "a number, more than 0 and at most 2", "1"),
    ("open_metrics", "maybe", "true or false", "false"),
    ("open_docs", "sometimes", "true or false", "true"),
    ("log_level", "loud", "one of debug, info, warning, error", "info"),
    ("environment", "prod", "one of development, production", "development"),
])  # fmt: skip
def test_a_number_or_a_choice_is_explained(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, expected: str, example: str
) -> None:
    """The variable, what was expected, what it got and an example."""
    variable = f"SEPAL_{name.upper()}"
    monkeypatch.setenv(variable, text)

    with pytest.raises(ValidationError) as refused:
        Settings()

    [line] = complaints(refused.value, Settings)
    assert line == f"{variable}: expected {expected}, got '{text}'; for example {variable}={example}"


def test_a_value_that_may_be_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a setting that is a text, only the name and the reason are printed."""
    monkeypatch.setenv("SEPAL_DATABASE_URL", "mysql://ada:s3cret@db")

    with pytest.raises(ValidationError) as refused:
        Settings()

    [line] = complaints(refused.value, Settings)
    assert line.startswith("SEPAL_DATABASE_URL: it must begin with ")
    assert "s3cret" not in line


def test_a_server_ends_in_that_line(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No traceback, and no port that was opened."""
    env = environment(state=tmp_path_factory.mktemp("state"), cors_origins='["https://a.example"')

    ended = run("serve", "run", "--port", "0", env=env)

    assert ended.returncode == 2
    assert ended.stderr == (
        "SEPAL_CORS_ORIGINS: expected a list, separated by commas or as JSON, such as "
        "https://example.org, https://example.com\n"
    )
