"""The bare ASGI ceiling: read the body, return a constant. No server of this protocol can be faster."""

from typing import Any

# As long as the response of sepal for one flower.
RESPONSE = (
    b'{"model":"iris","version":1,"predictions":["setosa"],"classes":["setosa","versicolor","virginica"],'
    b'"probabilities":[[0.9822316667601895,0.017767993934645,3.393051655041529e-7]]}'
)
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(RESPONSE))]


async def app(_scope: Any, receive: Any, send: Any) -> None:
    """Read the whole body, and send the response."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": RESPONSE})
