"""The cluster as clients are told of it. Pure."""

from __future__ import annotations

from importlib.metadata import version

from wukong.kvs.ring import Ring
from wukong.rpc.limits import MESSAGE_BYTES
from wukong.rpc.v1 import cluster_pb2, ring_pb2
from wukong_scheduler.config import Config


def describe(config: Config, ring: Ring | None) -> cluster_pb2.Cluster:
    """What a client must know; the stores and their secrets only where clients may reach them."""
    limits, runtime = config.limits, config.runtime
    cluster = cluster_pb2.Cluster(
        version=version("wukong"),
        data_endpoint=config.proxy_address,
        runtime=cluster_pb2.Runtime(
            python=runtime.python, packages=runtime.packages, image_digest=runtime.image_digest
        ),
        parallelism=config.parallelism,
        kvs_nodes=len(ring.nodes) if ring else 0,
        ring_version=ring.version if ring else 0,
        keep_seconds=config.keep,
        kvs_most=config.kvs_sizes.most if config.kvs_service else 0,
        limits=cluster_pb2.Limits(
            message_bytes=MESSAGE_BYTES,
            tasks=limits.tasks,
            edges=limits.edges,
            page_bytes=limits.page_bytes,
            inline_pages_bytes=limits.inline_pages_bytes,
        ),
    )
    if config.direct:
        cluster.direct.mds_address = config.mds_address
        cluster.direct.store_user = config.client_user
        cluster.direct.store_password = config.client_password
        if config.kvs.password:
            cluster.direct.kvs.user = config.client_user
            cluster.direct.kvs.password = config.client_password
        cluster.direct.kvs.namespace = config.kvs.namespace
        cluster.direct.kvs.stripe_bytes = config.kvs.striping.whole_bytes
        cluster.direct.kvs.stripes = config.kvs.striping.stripes
        cluster.direct.signing_key = config.signing_key
        if ring is not None:
            cluster.direct.ring.version = ring.version
            cluster.direct.ring.nodes.extend(ring_pb2.KvsNode(id=node.id, address=node.address) for node in ring.nodes)
    return cluster
