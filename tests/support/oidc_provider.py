"""An OpenID Connect provider on this machine, with any behaviour that a test needs."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from serve.auth.oidc_keys import DISCOVERY

Answer = Callable[[BaseHTTPRequestHandler], None]
KEYS = "/keys"


class Provider:
    """Publishes its description and keys; `answers` has the behaviour per path, `asked` counts requests."""

    def __init__(self, keys: object, *, port: int = 0) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: Counter[str] = Counter()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked[self.path] += 1
                provider.answers.get(self.path, status(404))(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # what the library calls it
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.answers[DISCOVERY] = content({"issuer": self.url, "jwks_uri": self.url + KEYS})
        self.publish(keys)

    def publish(self, keys: object) -> None:
        """Publish another set of keys."""
        self.answers[KEYS] = content(keys)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def content(value: object) -> Answer:
    """Answer 200 with this body: bytes unchanged, other values as JSON."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def status(code: int, **headers: str) -> Answer:
    """Answer with a status and no body."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in {"Content-Length": "0", **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()

    return answer
