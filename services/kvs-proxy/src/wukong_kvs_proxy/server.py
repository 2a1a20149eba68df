"""Starts the proxy."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping

import grpc.aio

from wukong import settings
from wukong.invocation.pacing import Pacing
from wukong.kvs.access import Access
from wukong.mds.redis import RedisMds
from wukong.rpc import server as rpc_server
from wukong.rpc.rates import Rates
from wukong.rpc.tls import ServerTls
from wukong.rpc.v1 import data_pb2_grpc, fleet_pb2_grpc, ring_pb2_grpc
from wukong.values.signing import Signer
from wukong_kvs_proxy.data import DataService
from wukong_kvs_proxy.download import Downloads
from wukong_kvs_proxy.fan_out import FanOuts
from wukong_kvs_proxy.fleet import FleetService
from wukong_kvs_proxy.invocations import Invocations
from wukong_kvs_proxy.membership import Membership
from wukong_kvs_proxy.ring import RingAuthority
from wukong_kvs_proxy.stores import Stores
from wukong_kvs_proxy.upload import Uploads

MARGIN_SECONDS = 900.0
"""What an uploaded value stays beyond the longest deadline, for jobs that are submitted some time after it."""


class KvsProxy:
    """A started proxy. It is a `wukong.rpc.service.Service`."""

    def __init__(
        self,
        server: rpc_server.Server,
        authority: RingAuthority,
        invocations: Invocations,
        mds: RedisMds,
        stores: Stores,
    ) -> None:
        self._server = server
        self._invocations = invocations
        self._mds = mds
        self._stores = stores
        self._watching = asyncio.create_task(authority.watch())

    @property
    def address(self) -> str:
        """host:port of the Ring, Data and Fleet services."""
        return self._server.address

    async def close(self) -> None:
        """Stops the watch over the nodes and the server. The ring stays in the metadata store."""
        self._watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._watching
        await self._server.close()
        await self._invocations.close()
        await asyncio.to_thread(self._stores.close)
        await asyncio.to_thread(self._mds.close_connections)


async def serve(environ: Mapping[str, str]) -> KvsProxy:
    """Starts the proxy with the ring that the metadata store holds; it accepts calls when this returns.

    Raises:
        InvalidSetting: A variable is missing, or not what it must be.
        ClusterUnavailable: The metadata store cannot be reached, or the address cannot be listened on.
    """
    # All of it before anybody is asked.
    token, listen, tls = settings.TOKEN.get(environ), settings.LISTEN.get(environ), ServerTls.read(environ)
    user, password = settings.STORE_USER.get(environ), settings.STORE_PASSWORD.get(environ)
    rates = settings.RATES.parsed(Rates.parse, environ)
    pacing = Pacing.read(environ)
    signer = Signer(settings.SIGNING_KEY.key(environ))
    deadline = settings.DEADLINE_SECONDS.seconds(environ)
    access = Access.read(environ)
    mds = RedisMds(settings.MDS_ADDRESS.get(environ), password=password, user=user, authority=access.authority)
    stores = Stores(access, mds.newest_ring)
    ring = await asyncio.to_thread(mds.newest_ring)
    authority = RingAuthority(mds, Membership.restored(ring, time.monotonic()))
    uploads = Uploads(
        mds,
        lambda: stores.of(authority.ring),
        signer,
        hold=deadline + MARGIN_SECONDS,
        life=2 * (deadline + MARGIN_SECONDS),
    )
    invocations = Invocations(settings.LAMBDA_ENDPOINT.get(environ), settings.EXECUTOR_FUNCTION.get(environ), pacing)
    fleet = FleetService(FanOuts(mds, stores, signer, invocations))
    data = DataService(uploads, Downloads(mds, stores, signer))

    def add_servicers(server: grpc.aio.Server) -> None:
        ring_pb2_grpc.add_RingServicer_to_server(authority, server)
        data_pb2_grpc.add_DataServicer_to_server(data, server)
        fleet_pb2_grpc.add_FleetServicer_to_server(fleet, server)

    server = await rpc_server.start(
        listen,
        add_servicers,
        token,
        ["wukong.rpc.v1.Ring", "wukong.rpc.v1.Data", "wukong.rpc.v1.Fleet"],
        tls=tls,
        rates=rates,
    )
    return KvsProxy(server, authority, invocations, mds, stores)
