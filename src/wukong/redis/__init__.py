"""A lean blocking Redis client: the data path to the metadata store and the KVS."""

from wukong.redis.command import Arg, Buffer, Gather
from wukong.redis.connection import Connection, Reply
from wukong.redis.errors import ConnectionLost, MissingKey, ReplyError, WrongSize
from wukong.redis.pool import Counters, Pool

__all__ = [
    "Arg",
    "Buffer",
    "Connection",
    "ConnectionLost",
    "Counters",
    "Gather",
    "MissingKey",
    "Pool",
    "Reply",
    "ReplyError",
    "WrongSize",
]
