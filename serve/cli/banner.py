"""The start-up message of development: address, login, problems, and a curl command that works."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from artifacts import CHAMPION, ArtifactError, Store
from serve.app.development import USER, ensure_secrets
from serve.settings import Settings


def print_banner(settings: Settings, *, models: Sequence[str], problems: Sequence[str]) -> None:
    """
    Print the message.

    Args:
        settings: Of the server, with the port that it listens on.
        models: The loaded models.
        problems: One line each.
    """
    # A server that listens on all addresses, 0.0.0.0 or ::, is reachable at this one.
    host = settings.host if settings.host.strip("0.:") else "127.0.0.1"
    base = f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
    print()
    print(f"sepal listens on {base} (development)")
    print(f"  docs      {base}/docs")
    print(f"  log in    {USER}, password in {ensure_secrets(settings.state).file}")
    for problem in problems:
        print(f"  problem   {problem}")
    print(f"{_example(settings, base, models)}\n", flush=True)


def _example(settings: Settings, base: str, models: Sequence[str]) -> str:
    """Return a curl command that works, with a row of the default model or else of the first loaded one."""
    if not models:
        return "  no model  no model is loaded: make train"
    store = Store.of(settings)
    model = settings.default_model if settings.default_model in models else models[0]
    try:
        manifest, _ = store.verified_manifest(model, store.resolve(model, CHAMPION))
    except ArtifactError as error:
        return f"  no curl   {model} has changed meanwhile: {error}"
    body = json.dumps({"instances": [manifest.examples.instances[0]]})
    return f"""  try it    in another terminal:

curl -s {base}/api/v1/models/{model}/predict \\
  -H "Authorization: Bearer $(make -s -C {shlex.quote(str(Path(__file__).resolve().parents[2]))} token)" \\
  -H "Content-Type: application/json" \\
  -d {shlex.quote(body)}"""
