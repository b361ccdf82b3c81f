"""Callers that go away before they are answered."""

import asyncio
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

T = TypeVar("T")


async def attended(receive: Receive, answer: "asyncio.Future[T]") -> T:
    """
    Wait for an answer for as long as there is somebody to receive it.

    Raises:
        ClientDisconnect: There is not; the answer has been cancelled.
    """
    watch = asyncio.ensure_future(_departure(receive))
    try:
        waited: set[asyncio.Future[Any]] = {answer, watch}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise ClientDisconnect
        return answer.result()
    finally:
        answer.cancel()
        watch.cancel()


async def _departure(receive: Receive) -> None:
    """The whole body has been read: what comes now is the end."""
    while (await receive())["type"] != "http.disconnect":
        pass
