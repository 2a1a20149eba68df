"""The Data service: checks what comes over the wire and hands it to `upload` and `download`."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import grpc

from wukong.errors import UnknownJob
from wukong.mds.job_id import check_job_id, is_job_id
from wukong.rpc.server import Context
from wukong.rpc.v1 import data_pb2, data_pb2_grpc, value_pb2
from wukong_kvs_proxy.download import Downloads
from wukong_kvs_proxy.upload import Uploads

_HASH = re.compile(r"[0-9a-f]{64}")


class DataService(data_pb2_grpc.DataServicer):
    """Values in and out, for clients that cannot reach the stores themselves."""

    def __init__(self, uploads: Uploads, downloads: Downloads) -> None:
        self._uploads = uploads
        self._downloads = downloads

    async def PutValue(  # noqa: N802
        self, request_iterator: AsyncIterator[data_pb2.PutValueRequest], context: Context
    ) -> value_pb2.ValueRef:
        """Takes one value."""
        first = await anext(request_iterator, data_pb2.PutValueRequest())
        header = first.header
        if first.WhichOneof("part") != "header":
            await _refuse(context, "an upload begins with its header")
        check_job_id(header.job_id)
        if not _HASH.fullmatch(header.hash):
            await _refuse(context, f"{header.hash!r} is not a SHA-256 in lower-case hexadecimal digits")
        if not header.layout.pickle_length:
            await _refuse(context, "the value has no pickle")
        return await self._uploads.put(header, request_iterator)

    async def GetResult(  # noqa: N802
        self, request: data_pb2.GetResultRequest, context: Context
    ) -> AsyncIterator[data_pb2.ResultChunk]:
        """Gives one value."""
        if not is_job_id(request.job_id):
            raise UnknownJob(request.job_id)
        async for chunk in self._downloads.get(request.job_id, request.task, request.offset):
            yield chunk


async def _refuse(context: Context, reason: str) -> None:
    await context.abort(grpc.StatusCode.INVALID_ARGUMENT, reason)
