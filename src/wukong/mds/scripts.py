"""The Lua scripts of the protocol, each in its own file, called by digest. What several share goes before them.

A server that lost its scripts (a restart) answers NOSCRIPT; the script then travels whole, once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.resources import files

from wukong.redis.command import Arg
from wukong.redis.connection import Connection, Reply
from wukong.redis.errors import ReplyError


class Script:
    """One script, named after its file in `scripts/`, with the functions of other files that it calls."""

    def __init__(self, name: str, *shared: str) -> None:
        folder = files("wukong.mds").joinpath("scripts")
        self.source = b"".join(folder.joinpath(f"{part}.lua").read_bytes() for part in (*shared, name))
        self.digest = hashlib.sha1(self.source, usedforsecurity=False).hexdigest()

    def command(self, keys: Sequence[str], args: Sequence[Arg]) -> list[Arg]:
        """The call by digest."""
        return ["EVALSHA", self.digest, len(keys), *keys, *args]

    def call(self, connection: Connection, keys: Sequence[str], args: Sequence[Arg]) -> Reply:
        """Run the script in one round trip (two if the server does not know it)."""
        return self.pipeline(connection, keys, args, ())[0]

    def pipeline(
        self, connection: Connection, keys: Sequence[str], args: Sequence[Arg], after: Sequence[Sequence[Arg]]
    ) -> list[Reply]:
        """Run the script, and plain commands after it, in one round trip."""
        try:
            return connection.pipeline([self.command(keys, args), *after])
        except ReplyError as error:
            if error.code != "NOSCRIPT":
                raise
            # It is a part of the replies, and so of a cycle that would keep all callers' frames until it is collected.
            error.__traceback__ = None
        return connection.pipeline([["EVAL", self.source, len(keys), *keys, *args], *after])


CREATE = Script("create")
OPEN = Script("open")
BEGIN = Script("begin")
SYNC = Script("sync", "values")
RENEW = Script("renew")
OFFLOAD = Script("offload", "values")
SEEK = Script("seek")
HEAL = Script("heal", "values")
FAIL = Script("fail")
SWEEP = Script("sweep")
LOST = Script("lost")
LOSE_RESULTS = Script("lose_results")
RESTART = Script("restart")
CLOSE = Script("close")
BURY = Script("bury")
PROLONG = Script("prolong")
HOLD_INPUT = Script("hold_input")
PLACE_INPUT = Script("place_input")
LOSE_INPUT = Script("lose_input")
DROP_INPUT = Script("drop_input")
