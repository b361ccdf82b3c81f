"""The bundles that are kept for later code can be made again, until their format is a former one."""

from pathlib import Path

from artifacts import Store
from artifacts.manifest import FORMAT
from artifacts.version_folder import CARD
from tests.support import format_bundles
from tests.support.server import ROOT


def test_what_is_kept_can_be_made_again(tmp_path: Path) -> None:
    """The program writes the models that tests/formats has of the present format: small, loadable and without cards."""
    format_bundles.keep(tmp_path)

    made, there = Store(tmp_path), Store(ROOT / "tests" / "formats" / str(FORMAT))
    assert made.models() == there.models()
    for name in made.models():
        bundle = made.load(name, 1)
        assert bundle.manifest.signature.names == there.manifest(name, 1).signature.names
        assert CARD not in bundle.manifest.files
    assert all(path.stat().st_size < 30_000 for path in tmp_path.rglob("*") if path.is_file())
    assert not list(tmp_path.rglob(".*"))
