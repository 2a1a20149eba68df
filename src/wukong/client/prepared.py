"""A graph as it is going to be sent: converted, and cut into pages. The cluster has not heard of it yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from wukong.client.upload_size import check_size
from wukong.graph import payload
from wukong.graph.convert import convert
from wukong.graph.dag import Dag
from wukong.graph.payload import Payload


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a job is made of.

    Attributes:
        keys: The keys that were asked for, as they were asked for.
        dag: The graph.
        payloads: Its programs.
    """

    keys: Any
    dag: Dag
    payloads: Sequence[Payload]

    @classmethod
    def of(cls, dsk: Any, keys: Any) -> Prepared:
        """The keys of a Dask graph in any of its forms.

        Raises:
            InvalidGraph: The graph cannot be run as it is; says why.
        """
        dag = convert(dsk, keys)
        return cls(keys, dag, payload.cut(dag))

    def check_size(self, known: Callable[[object], bool]) -> None:
        """Warn, at the line of the user that called, if this holds much that `known` does not know in the cluster."""
        check_size(self.dag, sum(len(page.data) for page in self.payloads), known)
