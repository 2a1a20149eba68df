"""PutValue: a value from a client to the key-value store, as it arrives.

At most one stripe of a value is in memory. Its bytes are stored under an owner of their own, and become a value only
when all have arrived and have the announced hash: then the manifest is signed and given to the metadata store. The
same value is never taken twice at a time: who comes second waits, and then finds it known.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

from wukong.errors import ValueRefused, WukongError
from wukong.kvs.keys import upload_owner
from wukong.kvs.store import Kvs
from wukong.mds.store import Mds
from wukong.rpc.content import ContentHash
from wukong.rpc.v1 import data_pb2, value_pb2
from wukong.values.signing import Signer
from wukong.values.upload import Upload
from wukong.values.values import Values
from wukong_kvs_proxy.streams import Streams
from wukong_kvs_proxy.work import to_the_end

_log = logging.getLogger(__name__)

NAME = "value"
"""The name of an uploaded value, which its owner has only one of."""


class Uploads:
    """Takes values.

    Args:
        mds: Knows the values that were uploaded.
        kvs: The key-value store at the newest ring.
        signer: Signs manifests.
        hold: Seconds for which a value must at least stay for the job that uploads it.
        life: Seconds after which a new value may vanish; longer, so that later jobs find it known.
    """

    def __init__(self, mds: Mds, kvs: Callable[[], Kvs], signer: Signer, hold: float, life: float) -> None:
        self._mds = mds
        self._kvs = kvs
        self._signer = signer
        self._hold = hold
        self._life = life
        self._streams = Streams()
        #: Held while a value is taken, by its hash.
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    async def put(
        self, header: data_pb2.PutValueHeader, requests: AsyncIterator[data_pb2.PutValueRequest]
    ) -> value_pb2.ValueRef:
        """Takes one value, whose bytes are in `requests`, or nothing where it is known."""
        lock = self._locks.setdefault(header.hash, asyncio.Lock())
        async with lock:
            known = await to_the_end(self._mds.hold_input, header.hash, header.job_id, self._hold)
            kvs = self._kvs()
            if known is not None:
                if await to_the_end(Values(kvs, self._signer).there, header.job_id, NAME, known):
                    return value_pb2.ValueRef(hash=header.hash, mark=known, known=True)
                await to_the_end(self._mds.lose_input, header.hash, known)
            token = secrets.token_hex(8)
            owner = upload_owner(header.hash, token)
            try:
                mark = await self._receive(kvs, owner, token, header, requests)
            except BaseException:
                await self._forget(kvs, owner)
                raise
            # From here on others may know the value, whether the answer arrives or not; so it stays where it is.
            await to_the_end(self._mds.place_input, header.hash, header.job_id, mark, owner, self._life)
            return value_pb2.ValueRef(hash=header.hash, mark=mark)

    async def _receive(
        self,
        kvs: Kvs,
        owner: str,
        token: str,
        header: data_pb2.PutValueHeader,
        requests: AsyncIterator[data_pb2.PutValueRequest],
    ) -> bytes:
        layout = header.layout
        content = ContentHash(layout.pickle_length, layout.buffer_lengths)
        upload = Values(kvs, self._signer).upload(
            owner, NAME, token, layout.pickle_length, layout.buffer_lengths, self._life
        )
        async with aclosing(self._streams.take(requests)) as pieces:
            async for request in pieces:
                await to_the_end(_take, content, upload, request.data)
        mark = await to_the_end(upload.close)
        if content.hexdigest() != header.hash:
            raise ValueRefused(f"the uploaded value has the hash {content.hexdigest()}, not {header.hash}")
        return mark

    async def _forget(self, kvs: Kvs, owner: str) -> None:
        """Removes what was stored of a value that did not arrive."""
        try:
            await to_the_end(kvs.purge, owner)
        except WukongError as error:
            _log.warning("parts of the broken upload %s stay until they expire: %s", owner, error)


def _take(content: ContentHash, upload: Upload, data: bytes) -> None:
    content.update(data)
    upload.write(data)
