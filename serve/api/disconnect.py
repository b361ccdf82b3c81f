"""Clients that disconnect before they get their response."""

import asyncio
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

T = TypeVar("T")


async def wait_connected(receive: Receive, future: "asyncio.Future[T]") -> T:
    """
    Wait for a result while the client is connected.

    Raises:
        ClientDisconnect: The client has disconnected, and the future was cancelled.
    """
    disconnect = asyncio.ensure_future(_wait_for_disconnect(receive))
    try:
        waiting: set[asyncio.Future[Any]] = {future, disconnect}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if not future.done():
            raise ClientDisconnect
        return future.result()
    finally:
        future.cancel()
        disconnect.cancel()


async def _wait_for_disconnect(receive: Receive) -> None:
    """Receive messages after the whole body until the client disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass
