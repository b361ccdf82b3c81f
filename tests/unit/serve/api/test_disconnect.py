"""Clients that disconnect while they wait for their response."""

import asyncio

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message

from serve.api.disconnect import wait_connected


async def _connected() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def _disconnected() -> Message:
    return {"type": "http.disconnect"}


def test_a_connected_client_gets_its_result() -> None:
    """The wait for the disconnect ends with it."""

    async def wait() -> int:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, 42)
        return await wait_connected(_connected, future)

    assert asyncio.run(wait()) == 42


def test_the_work_for_a_disconnected_client_is_cancelled() -> None:
    """Its future is cancelled, so that rows that still wait are not predicted."""

    async def wait() -> bool:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        with pytest.raises(ClientDisconnect):
            await wait_connected(_disconnected, future)
        return future.cancelled()

    assert asyncio.run(wait())
