"""One Python environment per peer, created if it is missing."""

import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.serving.peer import Peer, Place

_VERSIONS = """
import importlib.metadata, json, sys
print(json.dumps({name: importlib.metadata.version(name) for name in sys.argv[1:]}))
"""


def ensure(place: Place, peer: Peer) -> None:
    """Create the environment of a peer, unless one with the same requirements exists."""
    home = place.programs(peer.environment).parent
    stamp = home.with_suffix(".txt")
    wanted = "\n".join(peer.all_requirements) + "\n"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"creating the environment of {peer.name}, which takes a minute or two", file=sys.stderr)
    stamp.unlink(missing_ok=True)
    shutil.rmtree(home, ignore_errors=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(_installation(place, peer), check=True)
    # The stamp is written last, so that an incomplete environment is created again.
    stamp.write_text(wanted)


def _installation(place: Place, peer: Peer) -> list[str]:
    programs = place.programs(peer.environment)
    uv = shutil.which("uv")
    venv.create(programs.parent, with_pip=uv is None, symlinks=True)
    pip = [uv, "pip", "install", "--python"] if uv else [str(programs / "python"), "-m", "pip", "install"]
    return [*pip, *([str(programs / "python")] if uv else []), "--quiet", *peer.all_requirements]


def versions(place: Place, peer: Peer) -> dict[str, str]:
    """Return the installed version of each requirement of a peer."""
    names = [requirement.partition("==")[0] for requirement in peer.all_requirements]
    command: list[Path | str] = [place.programs(peer.environment) / "python", "-c", _VERSIONS, *names]
    installed: dict[str, str] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return installed
