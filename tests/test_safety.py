"""Code that is forbidden or allowed in a few modules only, and files that must not be in the repository."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import ROOT, environment, run

# Modules that create objects from bytes, and functions that run text as code.
UNPICKLES = {"pickle", "joblib", "dill", "cloudpickle", "marshal", "shelve"}
RUNS = {"eval", "exec", "compile", "__import__"}
MODULES = sorted(path for package in ("artifacts", "serve", "train") for path in (ROOT / package).rglob("*.py"))
# Modules that unpickle and run verified bytes, that pickle, or that read a file which the user provides and trusts.
MAY_UNPICKLE = {
    "artifacts/runtimes/sklearn_runtime.py",
    "artifacts/isolated.py",
    "artifacts/own_code.py",
    "train/own_code.py",
    "train/isolation.py",
    "train/model_file.py",
}
MAY_START_PROCESSES = {"artifacts/child.py", "serve/http/supervisor.py"}
SECRETS = re.compile(
    rb"PRIVATE KEY-----[\s\\rn]+[A-Za-z0-9+/]{40}|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|xox[bap]-[0-9]{8}|"
    rb"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}|sepal_[0-9a-z]{6,}_[A-Za-z0-9_-]{30,}"
)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _calls(tree: ast.AST) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the last part of the name of every call, with its constant keyword arguments."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            constants = {word.arg: word.value.value for word in node.keywords if isinstance(word.value, ast.Constant)}
            yield name, {key: value for key, value in constants.items() if key}


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_module_does_not_run_its_input(path: Path) -> None:
    """Modules use no eval and no shell, pickle only where it is allowed, and read no arrays of objects from files."""
    tree = ast.parse(path.read_text())
    imported, calls = set(_imported(tree)), list(_calls(tree))
    names = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}

    assert not names & RUNS
    assert not imported & UNPICKLES or _name(path) in MAY_UNPICKLE
    assert "subprocess" not in imported or _name(path) in MAY_START_PROCESSES
    assert "yaml" not in imported
    for name, keywords in calls:
        assert not keywords.get("shell"), name
        assert not keywords.get("allow_pickle"), name
        assert name not in {"system", "popen", "startfile"}
        assert keywords.get("verify") is not False, name


def test_the_rules_find_what_they_forbid() -> None:
    """Each rule detects the code that it forbids."""
    tree = ast.parse(
        "import joblib.numpy_pickle\nfrom pickle import loads\nrun('x', shell=True)\nnp.load(f, allow_pickle=True)"
    )

    assert set(_imported(tree)) == {"joblib", "pickle"}
    assert ("run", {"shell": True}) in list(_calls(tree))
    assert ("load", {"allow_pickle": True}) in list(_calls(tree))
    assert SECRETS.search(b"-----BEGIN EC PRIVATE KEY-----\n" + b"M" * 64)
    assert SECRETS.search(b".".join([b"eyJ" + b"h" * 20, b"eyJ" + b"h" * 30, b"h" * 43]))


def test_no_secret_is_in_the_repository() -> None:
    """No tracked file contains a private key, a token or an API key of a service."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("this is not a clone")
    files = [ROOT / name for name in listed.stdout.decode().split("\0") if name]

    secrets = {
        _name(path): match[0][:20] for path in files if path.is_file() and (match := SECRETS.search(path.read_bytes()))
    }

    assert len(files) > 100
    assert secrets == {}


def test_files_of_documented_commands_are_not_committed(tmp_path: Path) -> None:
    """Keys, development state and models are ignored by git, and refused by the pre-commit hook if added by force."""
    ended = run("artifacts", "keygen", "--output", str(tmp_path / "signing.key"), env=environment())
    assert ended.returncode == 0, ended.stderr
    paths = ["signing.key", "signing.key.pub", "keys.json", ".env", ".sepal/container.env", "artifacts/models/iris/1/a"]
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    (refused,) = re.findall(r"id: no-secrets.*? files: (\S+)", hooks, re.DOTALL)
    (tmp_path / ".gitignore").write_bytes((ROOT / ".gitignore").read_bytes())
    for command in (["init", "-q"], ["add", ".gitignore"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)

    status = subprocess.run(["git", "status", "-s"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    ignored = subprocess.run(["git", "check-ignore", *paths], cwd=tmp_path, check=True, capture_output=True, text=True)
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout

    assert status == "A  .gitignore\n"
    assert ignored.stdout.split() == paths
    assert all(re.search(refused, path) for path in paths)
    assert not [path for path in tracked.splitlines() if re.search(refused, path)]
