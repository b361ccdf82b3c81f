"""What development prints once the server listens: where it is, who may log in, what is wrong, a curl that works."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from artifacts import CHAMPION, ArtifactError, Store
from serve.app.development import USER, ensure_secrets
from serve.settings import Settings


def print_welcome(settings: Settings, *, models: Sequence[str], problems: Sequence[str]) -> None:
    """
    Print it.

    Args:
        settings: Of the server, the port being the one that it listens on.
        models: The models that can be asked.
        problems: One line each.
    """
    # Whoever listens everywhere, 0.0.0.0 or ::, is found here.
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
    """A curl that works, for a row of the default model or of the first that is in memory."""
    if not models:
        return "  no model  there is none that can be asked: make train"
    store = Store.of(settings)
    model = settings.default_model if settings.default_model in models else models[0]
    try:
        manifest, _ = store.verified_manifest(model, store.resolve(model, CHAMPION))
    except ArtifactError as error:
        return f"  no curl   {model} was changed meanwhile: {error}"
    body = json.dumps({"instances": [manifest.examples.instances[0]]})
    return f"""  try it    in another terminal:

curl -s {base}/api/v1/models/{model}/predict \\
  -H "Authorization: Bearer $(make -s -C {shlex.quote(str(Path(__file__).resolve().parents[2]))} token)" \\
  -H "Content-Type: application/json" \\
  -d {shlex.quote(body)}"""
