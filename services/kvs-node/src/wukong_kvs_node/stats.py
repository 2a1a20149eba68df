"""What Redis says about itself, as the Node service tells it. Pure."""

from __future__ import annotations

from wukong.rpc.v1 import node_pb2


def node_stats(node_id: str, info: str, keys: int) -> node_pb2.NodeStats:
    """Reads the reply of INFO, whose lines are `name:value`. `keys` is the reply of DBSIZE."""
    fields = dict(line.partition(":")[::2] for line in info.splitlines() if not line.startswith("#"))

    def number(name: str) -> int:
        return int(fields.get(name, "0"))

    return node_pb2.NodeStats(
        node_id=node_id,
        keys=keys,
        used_bytes=number("used_memory"),
        max_bytes=number("maxmemory"),
        bytes_received=number("total_net_input_bytes"),
        bytes_sent=number("total_net_output_bytes"),
        evicted_keys=number("evicted_keys"),
        uptime_seconds=number("uptime_in_seconds"),
    )
