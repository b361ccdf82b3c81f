"""Modules of a version can be imported by that version only, while it is loaded."""

import dataclasses
import gc
import io
import sys
import threading
import traceback
import zipfile
from typing import Any, get_type_hints

import pytest

from artifacts import own_code
from artifacts.own_code import OwnCode


def loaded(code: OwnCode, module: str) -> Any:
    """Return a module of a version as its pickle would import it."""
    own_code.unpickle(f"c{module}\n__doc__\n.".encode(), code.module_of)
    return sys.modules[code.module_of(module)]


@pytest.mark.parametrize(
    "statement",
    [
        "import helpers; value = helpers.VALUE",
        "from helpers import VALUE as value",
        "import helpers as h; value = h.VALUE",
        "import tools.units; value = tools.units.VALUE",
        "import tools.units as units; value = units.VALUE",
        "from tools import units; value = units.VALUE",
        "from tools.units import VALUE as value",
        "from tools.relative import VALUE as value",
        "from loose.deep import VALUE as value",
        "import importlib; value = importlib.import_module('.helpers', __package__).VALUE",
        "value = __import__('helpers').VALUE",
        "exec('from helpers import VALUE as value', globals())",
    ],
)
@pytest.mark.parametrize("where", ["top", "function"])
def test_each_version_imports_its_own_modules(statement: str, where: str) -> None:
    """Two versions have different modules under the same names, and every form of import finds those of its version."""
    lines = statement.split("; ")
    code = "\n".join(lines) if where == "top" else "\n    ".join(["def read():", "global value", *lines])
    versions = [
        OwnCode(
            {
                "features.py": code.encode(),
                "helpers.py": b"VALUE = %d" % number,
                "tools/__init__.py": b"",
                "tools/units.py": b"VALUE = %d" % number,
                "tools/relative.py": b"from . import units\nfrom .units import VALUE\nfrom .. import helpers",
                "loose/deep.py": b"from helpers import VALUE",
            },
            of=f"model@{number}",
        )
        for number in (1, 2)
    ]

    values = []
    for version in versions:
        features = loaded(version, "features")
        if where == "function":
            features.read()
        values.append(features.value)

    assert values == [1, 2]
    assert not {"features", "helpers", "tools", "loose"} & sys.modules.keys()


def test_own_modules_come_before_installed_ones_for_their_version_only() -> None:
    """A module may have the name of an installed one: others still get the installed one."""
    code = OwnCode({"joblib.py": b"MINE = 1", "features.py": b"import joblib, json\nMINE = joblib.MINE"}, of="model@1")

    assert loaded(code, "features").MINE == 1
    assert not hasattr(__import__("joblib"), "MINE")


def test_a_module_can_be_looked_up() -> None:
    """String annotations, dataclasses, abstract classes and sources find the module of a class."""
    source = b"from dataclasses import dataclass\n@dataclass\nclass Step:\n    next: 'Step | None' = None\n"
    code = OwnCode({"steps.py": source}, of="model@1")

    Step = loaded(code, "steps").Step

    assert get_type_hints(Step) == {"next": Step | None}
    assert dataclasses.replace(Step(), next=Step()).next == Step()
    assert sys.modules[Step.__module__].__file__ == "<model@1>/steps.py"


def test_a_traceback_names_the_version_the_file_and_the_line() -> None:
    """The frames of own code are named `<model@version>/file.py`, with the text of the line."""
    code = OwnCode({"tools/__init__.py": b"", "tools/bad.py": b"def fail(X):\n    return X / 0\n"}, of="churn@3")
    fail = loaded(code, "tools.bad").fail

    with pytest.raises(ZeroDivisionError) as caught:
        fail(1)

    frame = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (frame.filename, frame.lineno, frame.line) == ("<churn@3>/tools/bad.py", 2, "return X / 0")


def test_a_missing_module_is_named_as_it_was_imported() -> None:
    """The error does not mention the private package."""
    code = OwnCode({"tools/__init__.py": b"", "features.py": b"import tools.gone"}, of="model@1")

    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'tools\.gone'$") as caught:
        loaded(code, "features")

    assert caught.value.name == "tools.gone"


def test_threads_that_import_at_once_get_one_module() -> None:
    """A module that several predictions import late is executed once."""
    source = b"import time\nMARK = object()\ntime.sleep(0.01)\n"
    code = OwnCode(
        {"features.py": b"def mark():\n    import slow\n    return slow.MARK", "slow.py": source}, of="model@1"
    )
    mark = loaded(code, "features").mark
    barrier, marks = threading.Barrier(8), set()

    def work() -> None:
        barrier.wait()
        marks.add(mark())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(marks) == 1


def test_modules_are_unloaded_with_their_version() -> None:
    """A version that is no longer used leaves no module behind."""
    code = OwnCode({"features.py": b"import helpers", "helpers.py": b""}, of="model@1")
    private = code.module_of("features")
    loaded(code, "features")
    assert private in sys.modules

    del code
    gc.collect()

    assert not [name for name in sys.modules if name.startswith(private.partition(".")[0])]
    with pytest.raises(ModuleNotFoundError):
        __import__(private)


def test_nothing_is_executed_before_it_is_imported() -> None:
    """Modules that the pickle does not name, and nothing imports, stay bytes."""
    code = OwnCode({"features.py": b"VALUE = 1", "other.py": b"raise SystemExit"}, of="model@1")

    assert loaded(code, "features").VALUE == 1


def test_the_same_modules_are_the_same_bytes() -> None:
    """An archive depends on the modules only, and returns them."""
    sources = {"b.py": b"1", "a/__init__.py": "é = 1".encode()}

    packed = own_code.pack(sources)

    assert packed == own_code.pack(dict(reversed(sources.items())))
    assert own_code.unpack(packed, list(sources)) == sources


def _zip(content: bytes, how: int = zipfile.ZIP_STORED) -> bytes:
    with zipfile.ZipFile(buffer := io.BytesIO(), "w", how) as archive:
        archive.writestr("a.py", content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("archive", "listed", "reason"),
    [
        (b"no zip", ["a.py"], "not a zip file"),
        (_zip(b"1"), ["b.py"], "not those that the manifest lists"),
        (_zip(b"1"), ["a.py", "b.py"], "not those that the manifest lists"),
        (_zip(b"1", zipfile.ZIP_DEFLATED), ["a.py"], "compressed"),
        (_zip(bytes(own_code.LARGEST + 1)), ["a.py"], "more than 8388608 bytes"),
    ],
    ids=["garbage", "other", "fewer", "compressed", "large"],
)
def test_an_archive_that_differs_from_the_manifest_is_refused(archive: bytes, listed: list[str], reason: str) -> None:
    """An archive must have exactly the listed modules, uncompressed, within the limit of size."""
    with pytest.raises(ValueError, match=reason):
        own_code.unpack(archive, listed)
