"""The rules of the project about its own code and documentation."""

import ast
import re
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from prometheus_client import Counter, Gauge, Histogram
from pydantic import ByteSize, SecretStr
from pydantic.fields import FieldInfo
from sklearn.utils import all_estimators

from artifacts import Store
from artifacts import errors as artifact_errors
from artifacts.errors import ArtifactError
from artifacts.manifest import FORMAT
from serve import errors
from serve.api.deps import PREFIX
from serve.api.predict import PATHS
from serve.api.problem_kinds import KINDS
from serve.api.rates import Rates
from serve.app.root import VERSION, create_app
from serve.errors import ServeError
from serve.settings import Settings
from serve.settings.former import FORMER
from serve.telemetry.metrics import Metrics
from tests.support.server import ROOT

PUBLIC = {
    "/health",
    "/health/live",
    "/health/ready",
    "/.well-known/jwks.json",
    f"{PREFIX}/token",
    f"{PREFIX}/token/revoke",
}
DOCS = {"/", "/docs", "/redoc", "/openapi.json", "/docs/assets"}
FORMATS = ROOT / "tests" / "formats"
PACKAGES = ("artifacts", "serve", "train")
MODULES = [path.relative_to(ROOT) for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
# Shorter modules are tested by the tests of what uses them.
MOST_LINES_WITHOUT_TESTS = 40
# Words of a private language: docs/architecture.md has the terms to use instead.
PHRASES = (
    r"[Tt]old|[Tt]ells?|[Ww]hoever|(?:[Nn]o|[Ss]ome)body|(?:is|are) none\b(?! of)|is not one\b(?! of)|counts? no more|"
    r"does not count|held against|beside|shall|as ever|plainly|says? nothing|let go|[Ww]hat becomes of|the careful way|"
    r"the quick way"
)


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    """The whole app with its documentation."""
    settings = Settings(_env_file=None, state=tmp_path, secret_key=SecretStr("x" * 32))
    observed: Any = create_app(settings)
    inner: FastAPI = observed._app._app
    return inner


def routes_of(routes: Any) -> Iterator[Any]:
    """Yield every route, including those of included routers."""
    for route in routes:
        yield from routes_of(route.original_router.routes) if hasattr(route, "original_router") else [route]


def _scopes(dependant: Dependant) -> set[str]:
    own = set(dependant.own_oauth_scopes or [])
    return own.union(*map(_scopes, dependant.dependencies))


def _calls(dependant: Dependant) -> set[str]:
    own = {getattr(dependant.call, "__name__", "")}
    return own.union(*map(_calls, dependant.dependencies))


def test_every_route_needs_a_token_or_is_public(app: FastAPI) -> None:
    """A route that has no caller in its signature and is not on the short public list fails this test."""
    routes = list(routes_of(app.routes))

    open_to_all = {
        route.path
        for route in routes
        if not (isinstance(route, APIRoute) and _calls(route.dependant) & {"principal", "metrics_reader"})
    }

    assert len(routes) > len(open_to_all)
    assert open_to_all == PUBLIC | DOCS


def test_every_path_of_predictions_has_a_policy() -> None:
    """The prediction endpoint needs the documented scope, and counts under the rate limit of predictions."""
    rates = Rates(**{field.name: object() for field in fields(Rates)})  # type: ignore[arg-type]  # only compared
    assert {entry.route.path for entry in PATHS} == {f"{PREFIX}/predict", f"{PREFIX}/models/{{model}}/predict"}
    for entry in PATHS:
        assert _scopes(entry.route.dependant) == {entry.permission}
        assert entry.rate(rates) is rates.predict


def test_every_caller_but_me_needs_a_scope(app: FastAPI) -> None:
    """Without a scope, a token gives access only to the data of its owner."""
    routes = [route for route in routes_of(app.routes) if isinstance(route, APIRoute)]

    unscoped = {route.path for route in routes if not _scopes(route.dependant)}

    assert unscoped - PUBLIC - DOCS == {
        f"{PREFIX}/me",
        f"{PREFIX}/me/password",
        f"{PREFIX}/me/sessions",
        f"{PREFIX}/me/sessions/{{id}}",
    }


def _all_errors(error: type[ServeError] = ServeError) -> Iterator[type[ServeError]]:
    yield error
    for child in error.__subclasses__():
        yield from _all_errors(child)


def test_every_error_has_a_status() -> None:
    """Each domain error is in the table of statuses, and in the tree at the top of its file."""
    assert set(_all_errors()) == set(KINDS)
    for error in _all_errors():
        assert error.__name__ in str(errors.__doc__)


def test_problem_slugs_are_documented() -> None:
    """docs/api.md explains every `type` of a problem document."""
    source = "".join(path.read_text() for path in (ROOT / "serve").rglob("*.py"))
    raised = set(re.findall(r'InvalidInput\(\s*"([a-z-]+)"', source)) | {kind.slug for kind in KINDS.values()}
    raised |= set(re.findall(r'slug="([a-z-]+)"', source))
    documented = set(re.findall(r"`([a-z-]+)`", (ROOT / "docs" / "api.md").read_text()))

    assert len(raised) > 20
    assert raised <= documented


def test_every_error_of_an_artifact_has_a_slug_that_is_documented() -> None:
    """Each error is in the tree at the top of its file, and docs/artifacts.md has its slug, which is unique."""
    documented = (ROOT / "docs" / "artifacts.md").read_text()
    kinds: list[type[ArtifactError]] = ArtifactError.__subclasses__()
    slugs = [ArtifactError.slug, *(kind.slug for kind in kinds)]

    assert len(set(slugs)) == len(slugs) > 10
    assert all(f"`{slug}`" in documented for slug in slugs)
    assert all(kind.__name__ in str(artifact_errors.__doc__) for kind in kinds)


def _shown(field: FieldInfo) -> str:
    """The default as a reader would write it."""
    default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    if default is None:
        return "unset"
    if default in ("", ()):
        return "empty"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, ByteSize):
        return f"`{default // 2**20}MiB`"
    if isinstance(default, dict):
        return f"`{','.join(f'{name}={value}' for name, value in default.items())}`"
    return f"`{default}`"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    """docs/settings.md has each setting with the default and the description of the code."""
    field = Settings.model_fields[name]

    line = f"| `SEPAL_{name.upper()}` | {_shown(field)} | {field.description} |"
    default = "" if _shown(field) in {"unset", "empty"} else _shown(field).strip("`")
    assert line in (ROOT / "docs" / "settings.md").read_text().splitlines()
    assert f"# SEPAL_{name.upper()}={default}\n" in (ROOT / ".env.example").read_text()


def test_no_setting_is_documented_that_is_gone() -> None:
    """The tables and .env.example have exactly the settings of the code; no document names a former one."""
    known = {f"SEPAL_{name.upper()}" for name in Settings.model_fields}
    lines = (ROOT / "docs" / "settings.md").read_text().splitlines()
    first = {line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| `SEPAL_")}
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "Dockerfile", ROOT / "Makefile"]
    present = [path for path in documents if path.name != "CHANGELOG.md" and path.parent.name != "decisions"]

    documented = [line.split("`")[1] for line in lines if line.startswith("| `SEPAL_")]
    example = re.findall(r"(SEPAL_[A-Z_]+)=", (ROOT / ".env.example").read_text())
    named = {name for path in present for name in re.findall(r"SEPAL_[A-Z_]*[A-Z]", path.read_text())}

    assert sorted(documented) == sorted(example) == sorted(known)
    assert first <= set(lines)
    assert len(first) == 12
    assert not named & FORMER.keys()


def test_there_are_few_settings() -> None:
    """A new setting replaces another, or the number in this test and in the decision record is raised on purpose."""
    assert len(Settings.model_fields) <= 45


def test_the_version_is_one() -> None:
    """OpenAPI has the version of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["version"] == VERSION


def test_every_module_of_serve_is_under_a_contract() -> None:
    """The import contracts that list modules by name list all of them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    modules = {f"serve.{path.stem}" for path in (ROOT / "serve").iterdir() if path.name[0] not in "_."}

    [web] = [contract for contract in contracts if "fastapi" in contract.get("forbidden_modules", ())]
    assert modules - {"serve.api", "serve.app"} == set(web["source_modules"]) - {"artifacts", "train"}
    [settings] = [contract for contract in contracts if "serve.settings" in contract.get("forbidden_modules", ())]
    assert modules - {"serve.app", "serve.cli", "serve.settings", "serve.errors"} == set(settings["source_modules"])


def test_every_metric_has_a_unit_and_is_documented() -> None:
    """Counters end in _total and times in _seconds, and docs/operations.md documents all of them."""
    operations = (ROOT / "docs" / "operations.md").read_text()
    collectors = [metric for metric in vars(Metrics()).values() if isinstance(metric, Counter | Gauge | Histogram)]

    assert len(collectors) >= 5
    for collector in collectors:
        [family] = collector.collect()
        name = f"{family.name}_total" if isinstance(collector, Counter) else family.name
        assert name.startswith("sepal_")
        assert not isinstance(collector, Histogram) or name.endswith("_seconds")
        assert f"`{name}`" in operations


def test_every_make_target_of_the_documents_exists() -> None:
    """Documents name only targets that the Makefile has."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    documents = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]

    named = {target for path in documents for target in re.findall(r"`make (?:-s )?([a-z]+)[` ]", path.read_text())}

    assert len(named) >= 5
    assert named <= targets


def _anchors(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def test_every_link_between_the_documents_leads_somewhere() -> None:
    """Relative links in Markdown point to files that exist, and to headings that they have."""
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", path.read_text()):
            file = path.parent / target if target else path
            assert file.exists(), f"{path.name}: {target}"
            assert not anchor or anchor in _anchors(file), f"{path.name}: {target}#{anchor}"


@pytest.mark.parametrize("folder", sorted(FORMATS.glob("*/*/")), ids=lambda folder: "-".join(folder.parts[-2:]))
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
def test_every_former_format_still_loads(folder: Path, tmp_path: Path) -> None:
    """A version of any previous format can be loaded after it is signed, and still predicts its examples."""
    shutil.copytree(folder, tmp_path / folder.name)
    # The libraries that fitted it become older every year.
    store = Store(tmp_path, versions="warn")
    store.sign(folder.name, 1)

    bundle = store.load(folder.name, 1)

    examples = bundle.manifest.examples
    batch = bundle.manifest.signature.check(list(zip(*examples.instances, strict=True)))
    labels, expected = bundle.predict(batch.data).labels.tolist(), list(examples.predictions)
    assert batch.good.all()
    assert labels == (pytest.approx(expected, rel=1e-9) if bundle.labels is None else expected)


def test_every_format_so_far_is_kept() -> None:
    """There is a bundle of every format up to the current one."""
    assert sorted(int(folder.name) for folder in FORMATS.iterdir()) == list(range(1, FORMAT + 1))


def test_every_estimator_that_scikit_learn_lists_is_in_the_table() -> None:
    """docs/estimators.md has a result for each estimator, and none is wrong."""
    table = (ROOT / "docs" / "estimators.md").read_text()
    results = dict(re.findall(r"^\| (\w+) \| (the same|refused|wrong)", table, re.MULTILINE))
    listed = {name for kind in ("classifier", "regressor") for name, _ in all_estimators(type_filter=kind)}

    assert listed <= results.keys()
    assert "wrong" not in results.values()


def _texts(path: Path) -> Iterator[str]:
    """Yield the string literals of a module that are not docstrings: messages, descriptions, help."""
    tree = ast.parse(path.read_text())
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_messages_are_plain_english(module: Path) -> None:
    """No phrase of the list stands in an error message, a setting's description or `--help`."""
    found = [text for text in _texts(ROOT / module) if re.search(rf"\b(?:{PHRASES})\b", text)]

    assert found == []


def test_every_module_has_its_unit_tests() -> None:
    """The tests of `serve/a/b.py` are `tests/unit/serve/a/test_b.py`; those of a package are named after it."""
    missing = []
    for module in MODULES:
        package = module.name == "__init__.py"
        name = module.parent.name if package else module.stem.strip("_")
        test = ROOT / "tests" / "unit" / module.parent / f"test_{name}.py"
        is_migration = module.parent.name == "versions"
        lines = (ROOT / module).read_text().count("\n")
        if lines > MOST_LINES_WITHOUT_TESTS and not is_migration and not test.exists():
            missing.append(str(module))

    assert missing == []


@pytest.mark.parametrize("package", PACKAGES)
def test_the_architecture_lists_the_modules_that_exist(package: str) -> None:
    """docs/architecture.md names every module of a package, and no module that is gone."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    section = re.search(rf"^{package}/ .*?(?=^\S|^```)", text, re.MULTILINE | re.DOTALL)
    assert section is not None
    named = set(re.findall(r"\b(\w+\.py)\b", section[0]))
    modules = {module.name for module in MODULES if module.parts[0] == package and module.parent.name != "versions"}

    assert modules - {"__init__.py"} == named
