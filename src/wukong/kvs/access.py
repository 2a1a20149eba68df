"""What all who read or write the KVS of one cluster must know of it beside its ring."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from wukong import settings
from wukong.kvs.redis import RedisKvs
from wukong.kvs.ring import Ring
from wukong.kvs.striping import Striping
from wukong.redis.tls import read_authority


@dataclass(frozen=True, slots=True)
class Access:
    """How the nodes are asked.

    Attributes:
        password: Of every node; empty where they ask for none.
        namespace: How the cluster's keys start after `w:`. Nodes that others use too need one.
        striping: How values are cut.
        user: Whose password it is; empty for the default user.
        authority: Who vouches for the nodes (PEM); empty for nodes that speak in the clear.
    """

    password: str
    namespace: str = ""
    striping: Striping = field(default_factory=Striping)
    user: str = ""
    authority: str = ""

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Access:
        """What a part's environment says.

        Raises:
            InvalidSetting: A number is none, or too small, or no authority is where one should be.
        """
        asked = settings.KVS_AUTH.get(environ) == "1"
        return cls(
            settings.STORE_PASSWORD.get(environ) if asked else "",
            settings.KVS_NAMESPACE.get(environ),
            Striping(settings.STRIPE_BYTES.whole(environ, 1), settings.STRIPES.whole(environ)),
            settings.STORE_USER.get(environ) if asked else "",
            read_authority(environ),
        )

    def store(self, ring: Ring, newest: Callable[[], Ring | None] = lambda: None) -> RedisKvs:
        """The store on the nodes of a ring, and of the newest one where those do not do."""
        return RedisKvs(
            ring,
            password=self.password,
            namespace=self.namespace,
            striping=self.striping,
            newest=newest,
            user=self.user,
            authority=self.authority,
        )
