"""What a client shares with its jobs: it lives as long as the last of them, or until the client is closed."""

from __future__ import annotations

import secrets
import weakref
from typing import TYPE_CHECKING

from wukong.client.connection import Connection
from wukong.client.leases import Leases
from wukong.client.releases import Releases
from wukong.client.report import Report
from wukong.client.stores import Stores, reach
from wukong.errors import WukongError
from wukong.graph.reference import Reference

if TYPE_CHECKING:
    from wukong.client.job import Job


class Session:
    """One client's use of one cluster.

    Args:
        connection: To the cluster.
        forward_output: Whether what tasks print is printed here too.
        progress: Whether to show the progress of jobs that are waited for; None where it is fit.

    Attributes:
        stores: The stores, where they can be reached.
        leases: What this client holds of uploaded values, where it reaches the stores.
        releases: The jobs to release.
        jobs: The jobs that were submitted here and are still referred to, by id.
        last: The report of the job that ended last.
    """

    def __init__(self, connection: Connection, forward_output: bool, progress: bool | None) -> None:
        self.connection = connection
        self.forward_output = forward_output
        self.progress = progress
        self.stores = reach(connection.cluster)
        self.leases = Leases(self.stores, f"client-{secrets.token_hex(8)}") if self.stores else None
        self.releases = Releases(connection)
        self.jobs: weakref.WeakValueDictionary[str, Job] = weakref.WeakValueDictionary()
        self.last: Report | None = None
        # Runs once: by close(), by the garbage collector, or when the interpreter ends.
        self._finalizer = weakref.finalize(self, _close, connection, self.stores, self.leases, self.releases)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return not self._finalizer.alive

    def check_open(self) -> None:
        """Raise `WukongError` if this is closed."""
        if self.closed:
            raise WukongError("this client is closed; make a new one with Client(...)")

    def check_holds(self, what: str) -> None:
        """Raise `WukongError` if this is closed, and with it a value is gone; `what` says which."""
        if self.closed:
            raise WukongError(f"{what} went with its client, which is closed; compute it with a client that is open")

    def has(self, value: object) -> bool:
        """Whether the cluster has this value already, as far as it is known here."""
        return isinstance(value, Reference) or (self.leases is not None and self.leases.keeps(value))

    def close(self) -> None:
        """Release what is held and end the connections. May be called again."""
        self._finalizer()


def _close(connection: Connection, stores: Stores | None, leases: Leases | None, releases: Releases) -> None:
    if leases is not None:
        leases.close()
    releases.close()
    connection.close()
    if stores is not None:
        stores.close()
