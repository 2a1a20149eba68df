"""An embedded cluster has the scheduler and the Invoke API in one event loop, also while both end."""

from __future__ import annotations

import asyncio
from pathlib import Path

from wukong.cluster.valkey import ValkeyServer
from wukong.kvs.ring import Node, Ring
from wukong.mds.redis import RedisMds
from wukong.rpc.channel import async_channel
from wukong.rpc.v1 import scheduler_pb2, scheduler_pb2_grpc
from wukong_scheduler.server import serve

PASSWORD = "secret"


def test_an_invocation_under_way_is_answered_while_the_scheduler_closes(tmp_path: Path) -> None:
    async def scenario(store: str) -> None:
        asked = asyncio.Event()
        answer = asyncio.Event()

        async def lambda_api(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            asked.set()
            await answer.wait()
            writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            writer.close()

        endpoint = await asyncio.start_server(lambda_api, "127.0.0.1", 0)
        port = endpoint.sockets[0].getsockname()[1]
        scheduler = await serve(
            {
                "WUKONG_MDS_ADDRESS": store,
                "WUKONG_STORE_PASSWORD": PASSWORD,
                "WUKONG_TOKEN": "token",
                "WUKONG_SIGNING_KEY": "ab" * 32,
                "WUKONG_PROXY_ADDRESS": "127.0.0.1:7",
                "WUKONG_LAMBDA_ENDPOINT": f"http://127.0.0.1:{port}",
            }
        )
        request = scheduler_pb2.SubmitJobRequest(job_id="job-1", targets=["a"])
        request.tasks.add(id="a").call.function = "builtins:list"
        async with async_channel(scheduler.address, "token") as channel:
            await scheduler_pb2_grpc.SchedulerStub(channel).SubmitJob(request)
        await asked.wait()
        closing = asyncio.create_task(scheduler.close())
        done, _ = await asyncio.wait([closing], timeout=0.2)
        assert not done
        answer.set()
        await asyncio.wait_for(closing, 10)
        endpoint.close()
        await endpoint.wait_closed()

    with ValkeyServer(tmp_path, "store", password=PASSWORD) as server:
        mds = RedisMds(server.address, password=PASSWORD)
        mds.put_ring(Ring(1, (Node("node-1", server.address),)))
        mds.close_connections()
        asyncio.run(scenario(server.address))
