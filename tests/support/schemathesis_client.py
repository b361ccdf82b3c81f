"""Schemathesis, which asks a server everything that its OpenAPI describes, and compares what comes back."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.server import Server

# What must hold of every answer. That all that is refused is wrong, and the reverse, OpenAPI cannot say of our rows.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
# Here a call would end somebody's session, or lock somebody out.
LEFT_ALONE = r"/(token|sessions|users|keys|password)"


def ask(server: Server, folder: Path, *, examples: int, seed: int, phases: Sequence[str]) -> dict[str, Any]:
    """One run with a token of every scope; its report, which says how many calls there were and what was wrong."""
    report = folder / "report.json"
    command = [str(Path(sys.executable).with_name("schemathesis")), "run"]
    command += [f"http://127.0.0.1:{server.port}/openapi.json", "-H", f"Authorization: {_token(server)}"]
    command += ["--checks", ",".join(CHECKS), "--phases", ",".join(phases), "--continue-on-failure"]
    command += ["--seed", str(seed), "--max-examples", str(examples), "--generation-database", "none"]
    command += ["--exclude-path-regex", LEFT_ALONE, "--report", "json", "--report-json-path", str(report), "--no-color"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS")}
    ended = subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True, text=True)
    assert report.exists(), ended.stdout + ended.stderr
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def _token(server: Server) -> str:
    """One that nobody else uses."""
    return server.bearer()["Authorization"]
