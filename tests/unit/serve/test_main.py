"""The server's command line, run as a user runs it."""

import json
import resource
import shutil
import signal
import sqlite3
import time
import urllib.parse
from contextlib import closing
from pathlib import Path

import pytest

from artifacts import Store
from artifacts.keys import generate
from tests.support import tiny_models
from tests.support.deployment import within
from tests.support.server import Api, Server, environment, free_port, run, unmeasured
from tests.support.version_folders import amend

SECRET = "gUj2wQ0rLx9vTn5bYc8eKd3hZm6pAf1s"


def test_production_without_a_secret_does_not_start(tmp_path: Path) -> None:
    """It ends at once with one line that names the missing setting and how to make it, and opens no port."""
    started = time.monotonic()

    ended = run("serve", "run", env=environment(environment="production", state=tmp_path))

    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert "SEPAL_SECRET_KEY is missing" in ended.stderr
    assert "token_urlsafe(48)" in ended.stderr
    assert time.monotonic() - started < 20
    assert not list(tmp_path.iterdir())


def test_production_without_a_key_to_trust_does_not_start(tmp_path: Path) -> None:
    """It ends with one line that names the missing setting and the command that makes it, and opens no port."""
    env = environment(environment="production", secret_key=SECRET, state=tmp_path, trusted_keys="")

    ended = run("serve", "run", env=env)

    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert "SEPAL_TRUSTED_KEYS is missing" in ended.stderr
    assert "keygen" in ended.stderr
    assert not list(tmp_path.iterdir())


def test_production_trusts_only_the_keys_that_it_names(store: Path, tmp_path: Path) -> None:
    """A key on the same disk that signed every version is not trusted: the server starts and serves none of them."""
    named = generate(tmp_path / "other.key").text
    env = environment(
        environment="production",
        secret_key=SECRET,
        state=tmp_path,
        artifacts=store,
        trusted_keys=named,
        log_format="json",
    )
    with unmeasured(), Server(env) as server:
        line = server.line("model not loaded")

        assert server.client.get("/health/ready").status_code == 503
    assert (line["model"], line["code"]) == ("iris", "artifact-untrusted")


def test_development_does_not_start_with_an_invalid_key(tmp_path: Path) -> None:
    """One line names the invalid file of the public key."""
    (tmp_path / "signing.key.pub").write_text("nonsense")

    ended = run("serve", "run", env=environment(state=tmp_path, signing_key=tmp_path / "signing.key"))

    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert "signing.key.pub" in ended.stderr


@pytest.mark.parametrize(
    ("secret", "complaint"),
    [
        (" " * 40, "repeats itself"),
        ("changeme-changeme-changeme-1234567890", "is a sample"),
        ("a-string-secret-at-least-256-bits-long", "is a sample"),
        ("09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7", "is a sample"),
        ('{"keys": [{"kty": "oct", "k": "Zm9vYmFyYmF6cXV4"}]}', "is JSON"),
        ("-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END", "is a key pair"),
        ("gUj2wQ0rLx9vTn5bYc8eKd3hZm6pAf1", "is too short"),
    ],
)
def test_a_secret_that_could_be_guessed_does_not_start(
    server: Server, tmp_path: Path, secret: str, complaint: str
) -> None:
    """It ends within two seconds, before it opens the port, with one line that does not show the secret."""
    env = environment(environment="production", state=tmp_path, secret_key=secret, port=server.port)
    before = _cpu_of_children_s()

    ended = run("serve", "run", env=env)

    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert f"SEPAL_SECRET_KEY {complaint}" in ended.stderr
    assert secret not in ended.stderr
    assert _cpu_of_children_s() - before < 2
    assert not list(tmp_path.iterdir())


def _cpu_of_children_s() -> float:
    """Return the processor time of ended child processes, which does not depend on the load of the machine."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"token_keys": "none.json"}, "none.json: No such file"),
        ({"token_keys": "."}, ": not a regular file"),
        ({"token_keys": "pyproject.toml"}, "pyproject.toml: the set is not JSON"),
        ({"oidc_issuer": "https://issuer.example"}, "SEPAL_OIDC_AUDIENCE is missing"),
        ({"oidc_issuer": "http://issuer.example", "oidc_audience": "a"}, "https://"),
        ({"oidc_issuer": "https://x", "oidc_audience": "a", "oidc_scopes": '{"a": "fly"}'}, "SEPAL_OIDC_SCOPES"),
    ],
)
def test_invalid_keys_do_not_start(tmp_path: Path, settings: dict[str, str], complaint: str) -> None:
    """One line names an invalid file of keys or an unsafe issuer, before any file is created."""
    ended = run(
        "serve", "run", env=environment(environment="production", state=tmp_path, secret_key=SECRET, **settings)
    )

    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert complaint in ended.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("setting", "value", "complaint"),
    [
        ("trusted_keys", "ed25519:short'", "SEPAL_TRUSTED_KEYS"),
        ("versions", "ignore", "SEPAL_VERSIONS"),
        ("secret_key", "short", "too short"),
        ("port", "http", "SEPAL_PORT"),
        ("max_rows", "0", "SEPAL_MAX_ROWS"),
        ("cors_origins", '["https://a.example"', "SEPAL_CORS_ORIGINS"),
        ("max_csv_bytes", "64 pages", "SEPAL_MAX_CSV_BYTES"),
        ("database_url", "mysql://short'", "SEPAL_DATABASE_URL"),
    ],
)
def test_an_invalid_setting_is_named(tmp_path: Path, setting: str, value: str, complaint: str) -> None:
    """One line names the setting; a value that may be a secret is not shown."""
    env = environment(environment="production", state=tmp_path, **{"secret_key": SECRET, setting: value})

    ended = run("serve", "run", env=env)

    assert ended.returncode == 2
    assert complaint in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert "short'" not in ended.stderr


@pytest.mark.parametrize("command", [("serve", "run"), ("artifacts", "list"), ("train", "iris")], ids=" ".join)
def test_an_empty_environment_does_not_start(tmp_path: Path, command: tuple[str, ...]) -> None:
    """An empty SEPAL_ENVIRONMENT, as from a gap in a template, ends the start with one line, and creates no file."""
    env = environment(environment="", state=tmp_path, artifacts=tmp_path / "store", secret_key=SECRET)

    ended = run(*command, env=env)

    assert ended.returncode == 2
    assert ended.stderr == "SEPAL_ENVIRONMENT is empty: set it to development or production\n"
    assert not list(tmp_path.iterdir())


def test_an_unknown_setting_is_reported(tmp_path: Path) -> None:
    """Each is a line before all other output, and not an error."""
    env = environment(enviroment="production", secret_ky="short'", service_host="10.0.0.1", state=tmp_path)

    ended = run("serve", "users", "list", env=env)

    assert (ended.returncode, ended.stdout) == (0, "")
    assert ended.stderr.splitlines() == [
        "SEPAL_ENVIROMENT is not a setting; did you mean SEPAL_ENVIRONMENT?",
        "SEPAL_SECRET_KY is not a setting; did you mean SEPAL_SECRET_KEY?",
    ]


@pytest.mark.parametrize(("option", "value"), [("--port", "99999"), ("--workers", "0")])
def test_an_option_is_checked_like_its_setting(tmp_path: Path, option: str, value: str) -> None:
    """A value that is invalid in the environment is invalid on the command line too."""
    ended = run("serve", "run", option, value, env=environment(state=tmp_path))

    assert ended.returncode == 2
    assert f"SEPAL_{option[2:].upper()}" in ended.stderr


def test_production_has_no_development_user(store: Path, tmp_path: Path) -> None:
    """Production does not start with a database of development until the development user is removed."""
    env = environment(artifacts=store, state=tmp_path, secret_key=SECRET)
    with Server(env) as server:
        assert server.token("predict")

    refused = run("serve", "run", env={**env, "SEPAL_ENVIRONMENT": "production"})
    removed = run("serve", "users", "remove", "developer", env=env)

    assert (refused.returncode, removed.returncode) == (2, 0)
    assert "users remove developer" in refused.stderr
    assert run("serve", "users", "list", env=env).stdout == ""
    assert run("serve", "users", "remove", "developer", env=env).returncode == 2


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_that_cannot_start_are_a_failure(tmp_path: Path, workers: int) -> None:
    """If a worker ends before it serves, here because a module is missing, the command fails and starts no other."""
    env = environment(environment="production", secret_key=SECRET, state=tmp_path, artifacts=tmp_path, workers=workers)
    # Python runs this when it starts: only workers import the web framework.
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['fastapi'] = None\n")
    env["PYTHONPATH"] = str(tmp_path)

    ended = run("serve", "run", "--port", str(free_port()), env=env)

    assert ended.returncode == 1
    assert "fastapi" in ended.stderr


def test_production_serves_with_a_secret(store: Path, tmp_path: Path) -> None:
    """With a secret and a user it serves; it prints no token, creates no user and serves no documentation."""
    env = environment(environment="production", secret_key=SECRET, state=tmp_path, artifacts=store)
    assert run("serve", "users", "add", "ada", env=env, stdin="correct horse\n").returncode == 0

    with Server(env) as server:
        token = server.token(user="ada", password="correct horse")
        docs = server.client.get("/docs", headers={"Authorization": f"Bearer {token}"})
        closed = [server.client.get(path).status_code for path in ("/docs", "/redoc", "/openapi.json", "/metrics")]
        keys = server.client.get("/.well-known/jwks.json")

    assert docs.status_code == 404
    assert closed == [401] * 4
    assert keys.json() == {"keys": []}
    assert run("serve", "users", "list", env=env).stdout.split()[:4] == ["ada", "batch", "models:read", "predict"]
    refused = run("serve", "token", env=env)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "no development user" in refused.stderr


def test_a_deleted_secrets_file_is_generated_again(store: Path, tmp_path: Path) -> None:
    """The new password works, although the database still has the old one."""
    env = environment(artifacts=store, state=tmp_path)
    with Server(env) as server:
        before = server.password
    (tmp_path / "development.env").unlink()

    with Server(env) as server:
        assert server.password != before
        assert server.token("predict")


def test_the_development_token_has_every_scope(server: Server) -> None:
    """`python -m serve token` prints one line: a token with every scope that expires in twelve hours."""
    printed = run("serve", "token", env=server.env)
    [token] = printed.stdout.splitlines()

    me = server.client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})

    assert me.json() == {"name": "developer", "scopes": ["batch", "metrics:read", "models:read", "predict"]}


def banner(server: Server) -> list[str]:
    """Return what development prints once the server listens."""
    assert within(10, lambda: any(line.startswith("curl") or "no model" in line for line in server.lines))
    lines = server.lines
    [begin] = [number for number, line in enumerate(lines) if line.startswith("sepal listens")]
    return [line for line in lines[begin:] if not line.startswith("{")]


def test_the_banner_prints_a_curl(server: Server) -> None:
    """It has the address of the server and a call of it, and appears once the server answers."""
    first, *_ = lines = banner(server)

    assert first == f"sepal listens on http://127.0.0.1:{server.port} (development)"
    assert any(f"curl -s http://127.0.0.1:{server.port}/api/v1/models/iris/predict" in line for line in lines)
    assert not any("problem" in line for line in lines)
    assert server.password not in server.log.read_text()


@unmeasured()
def test_the_banner_names_a_model_that_is_loaded(store: Path, tmp_path: Path) -> None:
    """The first model is broken and the default one misspelt: a line for each, and a curl for another model."""
    shutil.copytree(store, tmp_path / "store")
    shutil.copytree(store / "iris", tmp_path / "store" / "aaa")
    env = environment(artifacts=tmp_path / "store", state=tmp_path / "state", default_model="irsi", log_format="json")
    with Server(env) as server:
        lines = banner(server)
        asked = server.client.post("/api/v1/predict", json={"instances": []}, headers=server.bearer())

        assert [line.split()[0:2] for line in lines if "problem" in line] == [
            ["problem", "aaa@1"],
            ["problem", "SEPAL_DEFAULT_MODEL:"],
        ]
        assert "  problem   SEPAL_DEFAULT_MODEL: the store has no model 'irsi'; did you mean iris?" in lines
        assert any("/models/iris/predict" in line for line in lines)
        assert server.line("unknown default model")["level"] == "warning"
        assert asked.status_code == 404
        assert "does not have the default model of this server" in asked.json()["detail"]


@pytest.mark.parametrize(
    ("arguments", "password", "complaint"),
    [
        (["ada", "--scopes", "predict fly"], "correct horse", "no such scope: fly"),
        (["ada"], "short", "8 to 1,024 characters"),
        (["a b"], "correct horse", "letters"),
    ],
)
def test_an_invalid_user_is_refused(tmp_path: Path, arguments: list[str], password: str, complaint: str) -> None:
    """One line names an invalid scope, password or name, and no user is added."""
    env = environment(state=tmp_path)

    ended = run("serve", "users", "add", *arguments, env=env, stdin=password)

    assert ended.returncode == 2
    assert complaint in ended.stderr
    assert run("serve", "users", "list", env=env).stdout == ""


def test_an_empty_store_is_reported(tmp_path: Path) -> None:
    """Without a model the server starts, logs what to do, and is not ready."""
    (tmp_path / "none").mkdir()
    with Server(environment(state=tmp_path, artifacts=tmp_path / "none", log_format="json")) as server:
        ready = server.client.get("/health/ready")
        missing = server.client.post("/api/v1/predict", json={}, headers=server.bearer("predict"))

        assert (ready.status_code, ready.json()["status"]) == (503, "unready")
        assert missing.status_code == 404
        assert any("make train" in line for line in banner(server))


@unmeasured()
def test_a_store_that_appears_later_is_loaded(tmp_path: Path) -> None:
    """Requests are 503 until the store exists; then its models are served without a restart."""
    with Server(environment(state=tmp_path, artifacts=tmp_path / "later", log_format="json")) as server:
        api = Api(server, server.bearer())
        missing = api.predict([[1.0, 2]])
        lines = banner(server)
        tiny_models.make().publish(Store(tmp_path / "later"))

        assert missing.status_code == 503
        assert "  problem   the model store cannot be read; the server tries again every few seconds" in lines
        assert within(20, lambda: api.predict([[1.0, 2]]).status_code == 200)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
@unmeasured()
def test_a_signal_ends_the_server(store: Path, tmp_path: Path, workers: int, stop: signal.Signals) -> None:
    """SIGTERM and Ctrl-C end it with exit code 0 and without a traceback."""
    with Server(environment(state=tmp_path, artifacts=store, workers=workers)) as server:
        server.process.send_signal(stop)

        assert server.process.wait(30) == 0
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_in_use_is_reported(server: Server, workers: str) -> None:
    """A second server on the same port ends with one line and exit code 2, and does not say that it listens."""
    ended = run("serve", "run", "--port", str(server.port), "--workers", workers, env=server.env)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"port {server.port} of 127.0.0.1: Address already in use; see SEPAL_HOST, SEPAL_PORT\n"


@pytest.mark.parametrize("command", [("run",), ("token",), ("users", "list")], ids=" ".join)
def test_a_database_of_a_newer_release_is_refused(tmp_path: Path, command: tuple[str, ...]) -> None:
    """One line names both schemas, and the exit code is 2."""
    env = environment(state=tmp_path)
    assert run("serve", "users", "list", env=env).returncode == 0
    with closing(sqlite3.connect(tmp_path / "sepal.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")

    ended = run("serve", *command, env=env)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert len(ended.stderr.splitlines()) == 1
    assert "the database has schema 9999, which is newer than" in ended.stderr


@unmeasured()
def test_a_version_that_was_published_later_is_not_loaded(tmp_path: Path) -> None:
    """After its publication an alias names it, and the answer says that the server has not loaded it."""
    store = Store(tmp_path / "store")
    tiny_models.make().publish(store)
    with Server(environment(artifacts=store.root, state=tmp_path / "state", log_format="json")) as server:
        tiny_models.make().publish(store)
        answer = Api(server, server.bearer()).predict([[1.0, 2]], version="2")

    assert answer.status_code == 404
    assert answer.json()["detail"] == "this version is not loaded; at start the server loads versions with an alias"


def test_the_options_win_over_the_environment(store: Path, tmp_path: Path) -> None:
    """`--port` wins over SEPAL_PORT."""
    other = free_port()

    with Server(environment(state=tmp_path, artifacts=store, port=other)) as server:
        assert server.port != other
        assert server.client.get("/health/live").status_code == 200


def test_every_log_line_is_json(server: Server) -> None:
    """Apart from the banner, each line of a log in JSON is one object, whatever a client sends."""
    odd = urllib.parse.quote('x\n{"level": "error"}\x1b[31m\u2028' + "y" * 1000)
    server.client.get(f"/{odd}", headers={"X-Request-ID": "a" * 65})

    lines = [line for line in server.log.read_text().split("\n") if "{" in line and not line.startswith("  -d ")]

    assert len(lines) > 3
    assert all(isinstance(json.loads(line), dict) for line in lines)


def test_a_state_folder_that_is_a_file_is_named(store: Path, tmp_path: Path) -> None:
    """One line names a file that stands where the state folder should be."""
    (tmp_path / "file").write_text("")

    ended = run("serve", "run", env=environment(artifacts=store, state=tmp_path / "file"))

    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert str(tmp_path / "file") in ended.stderr


@unmeasured()
def test_an_unexpected_error_of_a_version_stops_no_other(tmp_path: Path) -> None:
    """The server starts and serves the other models; this one is unavailable."""
    store = Store(tmp_path / "store")
    tiny_models.make().publish(store)
    tiny_models.make().publish(store, model="odd")
    amend(tmp_path / "store" / "odd" / "1", lambda manifest: manifest["signature"]["columns"][0].update(maximum=None))

    with Server(environment(artifacts=store.root, state=tmp_path / "state", log_format="json")) as server:
        api = Api(server, server.bearer())

        assert api.predict([[1.0, 2]], "/api/v1/models/tiny/predict").status_code == 200
        assert api.predict([[1.0, 2]], "/api/v1/models/odd/predict").status_code == 503
