"""The options that every server and channel of Wukong share."""

from __future__ import annotations

MESSAGE_BYTES = 64 * 1024 * 1024
"""The largest gRPC message, both ways. Larger things (pages, values) go as streams of smaller ones."""

CHUNK_BYTES = 1024 * 1024
"""The piece in which values are streamed."""

METADATA_BYTES = 64 * 1024
"""The most metadata of a call, trailing metadata with an error included (gRPC's own default is 8 KiB)."""

MESSAGE_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.max_metadata_size", METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", 2 * METADATA_BYTES),
)

SERVER_OPTIONS = (
    *MESSAGE_OPTIONS,
    # By default Linux lets a second server bind the same port and share its connections, in silence.
    ("grpc.so_reuseport", 0),
    # What a client may send ahead of being asked, for each stream. By default gRPC lets that grow with the bandwidth,
    # to many MiB, and a proxy that takes values from many clients would hold them all.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", CHUNK_BYTES),
    # Without these a server ends the connection of a client that sends the keepalives below.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
)

CHANNEL_OPTIONS = (
    *MESSAGE_OPTIONS,
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # A server that was restarted is found again soon.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # Else a new channel inherits the failed connection attempts of others to the same address.
    ("grpc.use_local_subchannel_pool", 1),
    # An HTTP proxy of the environment is for the web, and would catch calls to loopback addresses too.
    ("grpc.enable_http_proxy", 0),
)
