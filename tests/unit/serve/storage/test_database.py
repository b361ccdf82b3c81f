"""The same behaviour on SQLite and on PostgreSQL: migrations, users, and many processes at once."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from serve.auth.principals import Permission
from serve.auth.security_store import SecurityStore
from serve.auth.users import permissions_of
from serve.errors import DatabaseUnavailable, UserExists
from serve.storage.database import MIGRATIONS, connect, migrate, reading, revisions
from tests.support.server import ROOT, Server, environment, run, unmeasured

_MIGRATE = "import sys; from serve.storage.database import *; migrate(connect(sys.argv[1]))"


@unmeasured()
def test_processes_that_start_together_migrate_once(url: str) -> None:
    """Six processes that migrate an empty database at the same time all succeed, and the table is there."""
    together = [subprocess.Popen([sys.executable, "-c", _MIGRATE, url], cwd=ROOT) for _ in range(6)]

    assert [process.wait(60) for process in together] == [0] * 6
    engine = connect(url)
    assert {"users", "alembic_version"} <= set(inspect(engine).get_table_names())
    engine.dispose()


def test_the_newest_migration_is_the_one_with_the_highest_number() -> None:
    """The check for migrations without alembic agrees with alembic."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))

    assert ScriptDirectory.from_config(config).get_current_head() == revisions()[-1]


def test_a_start_on_a_current_database_does_without_alembic(tmp_path: Path) -> None:
    """A start without a migration imports neither alembic, nor scikit-learn, nor pandas."""
    engine = connect(f"sqlite:///{tmp_path / 'x.db'}")
    migrate(engine)
    engine.dispose()
    code = f"""
import sys
import serve.app.root
from serve.storage.database import connect, migrate
migrate(connect("sqlite:///{tmp_path / "x.db"}"))
print(sorted({{"alembic", "pandas", "sklearn"}} & set(sys.modules)))
"""

    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert ended.stdout.strip() == "[]"


def test_a_user_is_found_again(url: str) -> None:
    """An added user is found by name, has the permissions of their roles, and no second user gets the name."""
    engine = connect(url)
    migrate(engine)
    people = SecurityStore(engine, audit_days=0).user_admin("test")

    people.add("ada", password_hash="x", permissions=[Permission.PREDICT, Permission.BATCH], roles=["operator"])

    found = people.find("ada")
    assert found is not None
    with reading(engine) as session:
        assert permissions_of(session, found) == set(Permission)
    assert [user.name for user in people.users()] == ["ada"]
    assert people.find("eve") is None
    with pytest.raises(UserExists, match="'ada'"):
        people.add("ada", password_hash="y", permissions=[])
    engine.dispose()


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "a\0b", "x" * 65, "ä"])
def test_an_invalid_name_is_refused(name: str, tmp_path: Path) -> None:
    """A name that a log or a database could misinterpret is refused."""
    engine = connect(f"sqlite:///{tmp_path / 'sepal.db'}")

    with pytest.raises(ValueError, match="letters"):
        SecurityStore(engine, audit_days=0).user_admin("test").add(name, password_hash="x")
    engine.dispose()


def test_an_unreachable_database_is_a_domain_error(tmp_path: Path) -> None:
    """An unreachable database raises our error, not that of the driver."""
    engine = connect(f"postgresql+psycopg://sepal@127.0.0.1:{1}/sepal")

    with pytest.raises(DatabaseUnavailable):
        SecurityStore(engine, audit_days=0).user_admin("test").find("ada")


def test_a_damaged_file_is_a_domain_error(tmp_path: Path) -> None:
    """An overwritten SQLite file raises the same error."""
    (tmp_path / "sepal.db").write_text("no database at all " * 100)
    engine = connect(f"sqlite:///{tmp_path / 'sepal.db'}")

    with pytest.raises(DatabaseUnavailable):
        SecurityStore(engine, audit_days=0).user_admin("test").find("ada")
    engine.dispose()


def test_a_server_on_postgresql_logs_users_in(postgres_url: str, store: Path, tmp_path: Path) -> None:
    """With SEPAL_DATABASE_URL two workers start together, and an added user logs in."""
    env = environment(artifacts=store, state=tmp_path, database_url=postgres_url, workers=2)
    added = run("serve", "users", "add", "grace", "--scopes", "predict", env=env, stdin="correct horse\n")
    assert added.returncode == 0, added.stderr

    with Server(env) as server:
        token = server.token(user="grace", password="correct horse")
        me = server.client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})

    assert me.json() == {"name": "grace", "scopes": ["predict"]}
