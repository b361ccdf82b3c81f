"""Schemathesis, which calls every operation of an OpenAPI document, and checks the responses."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.server import Server

# Checks of every response. OpenAPI cannot describe which rows are invalid, so the checks of refusals are left out.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
# A call of these could end a session, or lock out a user.
EXCLUDED = r"/(token|sessions|users|keys|password)"


def call_all(server: Server, folder: Path, *, examples: int, seed: int, phases: Sequence[str]) -> dict[str, Any]:
    """Run Schemathesis with a token of every scope, and return its report: the calls and the failures."""
    report = folder / "report.json"
    command = [str(Path(sys.executable).with_name("schemathesis")), "run"]
    token = server.bearer()["Authorization"]
    command += [f"http://127.0.0.1:{server.port}/openapi.json", "-H", f"Authorization: {token}"]
    command += ["--checks", ",".join(CHECKS), "--phases", ",".join(phases), "--continue-on-failure"]
    command += ["--seed", str(seed), "--max-examples", str(examples), "--generation-database", "none"]
    command += ["--exclude-path-regex", EXCLUDED, "--report", "json", "--report-json-path", str(report), "--no-color"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS")}
    ended = subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True, text=True)
    assert report.exists(), ended.stdout + ended.stderr
    content: dict[str, Any] = json.loads(report.read_text())
    return content
