"""What development is told when it starts: where the server is, who may log in, and a curl that works."""

import json
import shlex
from pathlib import Path

from artifacts import CHAMPION, ArtifactError, Store
from serve.development import USER, ensure_secrets
from serve.settings import Settings


def print_welcome(settings: Settings) -> None:
    """Print it."""
    # Whoever listens everywhere, 0.0.0.0 or ::, is found here.
    host = settings.host if settings.host.strip("0.:") else "127.0.0.1"
    base = f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
    print()
    print(f"sepal listens on {base} (development)")
    print(f"  docs      {base}/docs")
    print(f"  log in    {USER}, password in {ensure_secrets(settings.state).file}")
    print(f"{_example(settings, base)}\n", flush=True)


def _example(settings: Settings, base: str) -> str:
    """A curl that works, for a row of the first model in the store."""
    store = Store.of(settings)
    try:
        model = settings.default_model or store.models()[0]
        manifest, _ = store.vouched(model, store.resolve(model, CHAMPION))
    except (IndexError, ArtifactError):
        return "  no model  the store has none to serve: make train"
    body = json.dumps({"instances": [manifest.examples.instances[0]]})
    return f"""  try it    in another terminal:

curl -s {base}/api/v1/models/{model}/predict \\
  -H "Authorization: Bearer $(make -s -C {shlex.quote(str(Path.cwd()))} token)" \\
  -H "Content-Type: application/json" \\
  -d {shlex.quote(body)}"""
