"""The command line, run as a user runs it."""

import json
import os
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
import urllib.parse
from contextlib import closing
from pathlib import Path

import pytest

from artifacts import Store
from artifacts.keys import generate
from serve.app.development import ensure_secrets
from tests.support import tiny_models
from tests.support.deployment import within
from tests.support.server import ROOT, Api, Server, environment, free_port, run, unmeasured
from tests.support.version_folders import amend

SECRET = "gUj2wQ0rLx9vTn5bYc8eKd3hZm6pAf1s"


def test_production_without_a_secret_does_not_start(tmp_path: Path) -> None:
    """It ends at once, says in one line which setting is missing and how to make it, and opens no port."""
    started = time.monotonic()

    ended = run("serve", "run", env=environment(environment="production", state=tmp_path))

    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert "SEPAL_SECRET_KEY is missing" in ended.stderr
    assert "token_urlsafe(48)" in ended.stderr
    assert time.monotonic() - started < 20
    assert not list(tmp_path.iterdir())


def test_production_without_a_key_to_trust_does_not_start(tmp_path: Path) -> None:
    """It ends with one line that says which setting is missing and what makes it, and opens no port."""
    env = environment(environment="production", secret_key=SECRET, state=tmp_path, trusted_keys="")

    ended = run("serve", "run", env=env)

    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert "SEPAL_TRUSTED_KEYS is missing" in ended.stderr
    assert "keygen" in ended.stderr
    assert not list(tmp_path.iterdir())


def test_production_trusts_only_whom_it_names(store: Path, tmp_path: Path) -> None:
    """A key that lies beside, and signed all there is, does not count: the server starts, and serves nothing of it."""
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


def test_development_does_not_start_over_half_a_key(tmp_path: Path) -> None:
    """A public half that is none is named in one line."""
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
    """It ends within two seconds with one line that does not show it; the port, which is taken, is not even tried."""
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
    """Seconds of a processor, which do not grow while others use it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"token_keys": "none.json"}, "none.json: No such file"),
        ({"token_keys": "."}, ": it is not a file"),
        ({"token_keys": "pyproject.toml"}, "pyproject.toml: it is not JSON"),
        ({"oidc_issuer": "https://issuer.example"}, "SEPAL_OIDC_AUDIENCE is missing"),
        ({"oidc_issuer": "http://issuer.example", "oidc_audience": "a"}, "https://"),
        ({"oidc_issuer": "https://x", "oidc_audience": "a", "oidc_scopes": '{"a": "fly"}'}, "SEPAL_OIDC_SCOPES"),
    ],
)
def test_keys_that_cannot_be_do_not_start(tmp_path: Path, settings: dict[str, str], complaint: str) -> None:
    """A file that is no keyring, or an issuer that cannot be trusted, is told in one line before anything is made."""
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
def test_a_setting_that_cannot_be_is_named(tmp_path: Path, setting: str, value: str, complaint: str) -> None:
    """One line names the setting; the value, which may be a secret, is not shown."""
    env = environment(environment="production", state=tmp_path, **{"secret_key": SECRET, setting: value})

    ended = run("serve", "run", env=env)

    assert ended.returncode == 2
    assert complaint in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert "short'" not in ended.stderr


@pytest.mark.parametrize("command", [("serve", "run"), ("artifacts", "list"), ("train", "iris")], ids=" ".join)
def test_an_environment_that_is_empty_does_not_start(tmp_path: Path, command: tuple[str, ...]) -> None:
    """A gap in a deployment's template does not make a development server: one line, and nothing is made."""
    env = environment(environment="", state=tmp_path, artifacts=tmp_path / "store", secret_key=SECRET)

    ended = run(*command, env=env)

    assert ended.returncode == 2
    assert ended.stderr == "SEPAL_ENVIRONMENT is empty: set it to development or production\n"
    assert not list(tmp_path.iterdir())


def test_a_misspelt_setting_is_told(tmp_path: Path) -> None:
    """Each is a line before anything else is said, and no error by itself."""
    env = environment(enviroment="production", secret_ky="short'", service_host="10.0.0.1", state=tmp_path)

    ended = run("serve", "users", "list", env=env)

    assert (ended.returncode, ended.stdout) == (0, "")
    assert ended.stderr.splitlines() == [
        "SEPAL_ENVIROMENT is not a setting; did you mean SEPAL_ENVIRONMENT?",
        "SEPAL_SECRET_KY is not a setting; did you mean SEPAL_SECRET_KEY?",
    ]


@pytest.mark.parametrize(("option", "value"), [("--port", "99999"), ("--workers", "0")])
def test_an_option_is_checked_as_its_setting_is(tmp_path: Path, option: str, value: str) -> None:
    """What the environment may not say, the command line may not either."""
    ended = run("serve", "run", option, value, env=environment(state=tmp_path))

    assert ended.returncode == 2
    assert f"SEPAL_{option[2:].upper()}" in ended.stderr


def test_production_has_no_development_user(store: Path, tmp_path: Path) -> None:
    """A database that development has used is not taken to production before its user is removed."""
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
    """Where a worker ends before it has served, here for want of a module, the command fails and starts no other."""
    env = environment(environment="production", secret_key=SECRET, state=tmp_path, artifacts=tmp_path, workers=workers)
    # What Python runs when it starts: the parent and the trial never import the web framework.
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['fastapi'] = None\n")
    env["PYTHONPATH"] = str(tmp_path)

    ended = run("serve", "run", "--port", str(free_port()), env=env)

    assert ended.returncode == 1
    assert "fastapi" in ended.stderr


def test_production_serves_with_a_secret(store: Path, tmp_path: Path) -> None:
    """With a secret and a user it serves; it prints no token, makes no user, and its documentation is closed."""
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


def test_development_keeps_its_secrets_to_itself(tmp_path: Path) -> None:
    """The generated file is readable by its owner alone, and made once."""
    first = ensure_secrets(tmp_path)
    second = ensure_secrets(tmp_path)

    assert first == second
    assert stat.S_IMODE(first.file.stat().st_mode) == 0o600
    assert len(first.secret_key) >= 64
    assert [path.name for path in tmp_path.iterdir()] == ["development.env"]


def test_new_secrets_are_taken_up(store: Path, tmp_path: Path) -> None:
    """Whoever deletes the generated file gets a new password, and it works, although the database is the old one."""
    env = environment(artifacts=store, state=tmp_path)
    with Server(env) as server:
        before = server.password
    (tmp_path / "development.env").unlink()

    with Server(env) as server:
        assert server.password != before
        assert server.token("predict")


def test_the_development_token_opens_everything(server: Server) -> None:
    """`python -m serve token` prints one line: a token with every scope, good for twelve hours."""
    printed = run("serve", "token", env=server.env)
    [token] = printed.stdout.splitlines()

    me = server.client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})

    assert me.json() == {"name": "developer", "scopes": ["batch", "metrics:read", "models:read", "predict"]}


def banner(server: Server) -> list[str]:
    """What development prints once the server listens."""
    assert within(10, lambda: any(line.startswith("curl") or "no model" in line for line in server.lines))
    lines = server.lines
    [begin] = [number for number, line in enumerate(lines) if line.startswith("sepal listens")]
    return [line for line in lines[begin:] if not line.startswith("{")]


def test_the_banner_prints_a_curl(server: Server) -> None:
    """It says where the server is, and how to ask it; it comes once the server answers."""
    first, *_ = lines = banner(server)

    assert first == f"sepal listens on http://127.0.0.1:{server.port} (development)"
    assert any(f"curl -s http://127.0.0.1:{server.port}/api/v1/models/iris/predict" in line for line in lines)
    assert not any("problem" in line for line in lines)
    assert server.password not in server.log.read_text()


@unmeasured()
def test_the_banner_names_a_model_that_can_be_asked(store: Path, tmp_path: Path) -> None:
    """The first of the alphabet is broken, and the default one misspelt: a line each, and a curl for another one."""
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
def test_a_user_that_cannot_be_is_refused(tmp_path: Path, arguments: list[str], password: str, complaint: str) -> None:
    """A wrong scope, password or name is told, and nobody is added."""
    env = environment(state=tmp_path)

    ended = run("serve", "users", "add", *arguments, env=env, stdin=password)

    assert ended.returncode == 2
    assert complaint in ended.stderr
    assert run("serve", "users", "list", env=env).stdout == ""


def test_an_empty_store_is_told(tmp_path: Path) -> None:
    """Without a model the server starts, says what to do, and is not ready."""
    (tmp_path / "none").mkdir()
    with Server(environment(state=tmp_path, artifacts=tmp_path / "none", log_format="json")) as server:
        ready = server.client.get("/health/ready")
        missing = server.client.post("/api/v1/predict", json={}, headers=server.bearer("predict"))

        assert (ready.status_code, ready.json()["status"]) == (503, "unready")
        assert missing.status_code == 404
        assert any("make train" in line for line in banner(server))


@unmeasured()
def test_a_store_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    """Requests are 503 until there is one; then it is served without a restart."""
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
def test_a_signal_ends_it_orderly(store: Path, tmp_path: Path, workers: int, stop: signal.Signals) -> None:
    """SIGTERM and Ctrl-C end it with exit code 0, and no traceback is left behind."""
    with Server(environment(state=tmp_path, artifacts=store, workers=workers)) as server:
        server.process.send_signal(stop)

        assert server.process.wait(30) == 0
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_that_is_taken_is_told(server: Server, workers: str) -> None:
    """A second server on the same port ends with one line and exit code 2, and does not say that it listens."""
    ended = run("serve", "run", "--port", str(server.port), "--workers", workers, env=server.env)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"port {server.port} of 127.0.0.1: Address already in use; see SEPAL_HOST, SEPAL_PORT\n"


@pytest.mark.parametrize("command", [("run",), ("token",), ("users", "list")], ids=" ".join)
def test_a_database_of_a_newer_release_is_told(tmp_path: Path, command: tuple[str, ...]) -> None:
    """One line names both schemas, and the exit code is 2."""
    env = environment(state=tmp_path)
    assert run("serve", "users", "list", env=env).returncode == 0
    with closing(sqlite3.connect(tmp_path / "sepal.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")

    ended = run("serve", *command, env=env)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert len(ended.stderr.splitlines()) == 1
    assert "the database has schema 9999, and this code knows none newer than" in ended.stderr


@unmeasured()
def test_a_version_that_is_not_loaded_is_told_truly(tmp_path: Path) -> None:
    """Right after its publication an alias names it, and the server has not loaded it."""
    store = Store(tmp_path / "store")
    tiny_models.make().publish(store)
    with Server(environment(artifacts=store.root, state=tmp_path / "state", log_format="json")) as server:
        tiny_models.make().publish(store)
        answer = Api(server, server.bearer()).predict([[1.0, 2]], version="2")

    assert answer.status_code == 404
    assert (
        answer.json()["detail"] == "the server has not loaded this version: when it starts, it loads what aliases name"
    )


def test_the_options_win_over_the_environment(store: Path, tmp_path: Path) -> None:
    """`--port` is taken, whatever SEPAL_PORT says."""
    other = free_port()

    with Server(environment(state=tmp_path, artifacts=store, port=other)) as server:
        assert server.port != other
        assert server.client.get("/health/live").status_code == 200


def test_every_log_line_is_json(server: Server) -> None:
    """Beside the banner, a log in JSON holds one object a line, whatever a caller sends."""
    odd = urllib.parse.quote('x\n{"level": "error"}\x1b[31m\u2028' + "y" * 1000)
    server.client.get(f"/{odd}", headers={"X-Request-ID": "a" * 65})

    lines = [line for line in server.log.read_text().split("\n") if "{" in line and not line.startswith("  -d ")]

    assert len(lines) > 3
    assert all(isinstance(json.loads(line), dict) for line in lines)


def test_a_state_folder_that_is_none_is_named(store: Path, tmp_path: Path) -> None:
    """A file where the state folder should be is told in a line."""
    (tmp_path / "file").write_text("")

    ended = run("serve", "run", env=environment(artifacts=store, state=tmp_path / "file"))

    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert str(tmp_path / "file") in ended.stderr


@unmeasured()
def test_a_version_that_is_wrong_in_a_way_nobody_thought_of_stops_no_other(tmp_path: Path) -> None:
    """The server starts and serves the others; the one says that it is not available."""
    store = Store(tmp_path / "store")
    tiny_models.make().publish(store)
    tiny_models.make().publish(store, model="odd")
    amend(tmp_path / "store" / "odd" / "1", lambda manifest: manifest["signature"]["columns"][0].update(maximum=None))

    with Server(environment(artifacts=store.root, state=tmp_path / "state", log_format="json")) as server:
        api = Api(server, server.bearer())

        assert api.predict([[1.0, 2]], "/api/v1/models/tiny/predict").status_code == 200
        assert api.predict([[1.0, 2]], "/api/v1/models/odd/predict").status_code == 503


@pytest.mark.parametrize(("wanted", "workers"), [(1, 1), (64, 1), (64, 2), (64, 1000)])
def test_threads_beneath_a_model_are_limited(wanted: int, workers: int) -> None:
    """Libraries that are loaded already, and those that come later, get what was asked for but never too many."""
    code = f"""
import numpy
from serve.http.listening import limit_threads
limit_threads({wanted}, workers={workers})
import scipy.linalg
from threadpoolctl import threadpool_info
import os
told = os.environ["OMP_NUM_THREADS"], os.environ["MKL_NUM_THREADS"]
print({{pool["num_threads"] for pool in threadpool_info()}}, *told)
"""
    env = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    expected = max(1, min(wanted, len(os.sched_getaffinity(0)) // workers))

    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)

    assert ended.stdout.split() == [f"{{{expected}}}", str(expected), str(expected)]


def test_threads_that_the_environment_names_are_kept() -> None:
    """Whoever set a variable meant it."""
    code = """
import os
import numpy
from serve.http.listening import limit_threads
from threadpoolctl import threadpool_info
limit_threads(1, workers=1)
print({pool["num_threads"] for pool in threadpool_info()}, os.environ["OMP_NUM_THREADS"], os.environ["MKL_NUM_THREADS"])
"""
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}

    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)

    assert ended.stdout.split()[1:] == ["2", "1"]
    assert ended.stdout.split()[0] == f"{{{min(2, os.cpu_count() or 1)}}}"


@pytest.mark.parametrize(("hard", "connections", "expected"), [(4096, 1000, 2256), (1000, 1000, 1000), (4096, 10, 300)])
def test_every_connection_may_have_its_files(hard: int, connections: int, expected: int) -> None:
    """A system that permits few open files by default is asked for more, and never for less or too many."""
    code = f"""
import resource
from serve.http.listening import allow_files
resource.setrlimit(resource.RLIMIT_NOFILE, (300, {hard}))
allow_files({connections})
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""

    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert int(ended.stdout) == expected
