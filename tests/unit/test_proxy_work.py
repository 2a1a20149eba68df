import asyncio
import threading

import pytest

from wukong_kvs_proxy.work import to_the_end


def test_it_returns_and_raises_what_the_call_does() -> None:
    assert asyncio.run(to_the_end(int, "12")) == 12
    with pytest.raises(ValueError, match="invalid literal"):
        asyncio.run(to_the_end(int, "x"))


def test_a_cancel_waits_for_the_call() -> None:
    started, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def call() -> None:
        started.set()
        assert go_on.wait(10)
        ended.set()

    async def scene() -> None:
        task = asyncio.create_task(to_the_end(call))
        assert await asyncio.to_thread(started.wait, 10)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=0.05)
        assert not done
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()

    asyncio.run(scene())
