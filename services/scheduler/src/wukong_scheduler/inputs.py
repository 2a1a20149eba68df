"""The marks of a graph's inputs: uploaded values, and values of earlier jobs. All calls block."""

from __future__ import annotations

from collections.abc import Iterable

from wukong.errors import InputLost, InvalidGraph
from wukong.mds.job_id import is_job_id
from wukong.mds.store import Mds
from wukong.rpc.v1 import graph_pb2
from wukong.values.adoption import adopt
from wukong.values.signing import Signer


class Inputs:
    """Finds out where inputs stand."""

    def __init__(self, mds: Mds, signer: Signer) -> None:
        self._mds = mds
        self._signer = signer

    def marks(self, inputs: Iterable[graph_pb2.Input], job: str, seconds: float) -> dict[int, bytes]:
        """The mark of each input, by its task: the client's, the one that stands in the store, or an adopted one.

        Args:
            inputs: The inputs.
            job: The job that will use them.
            seconds: How long it may take.

        Raises:
            InputLost: A value is not there, or not any more.
            InvalidGraph: A reference names no job that can be.
            ValueRefused: A value in the store is not signed by this cluster.
        """
        found: dict[int, bytes] = {}
        earlier: dict[str, list[graph_pb2.Input]] = {}
        for item in inputs:
            if item.ref.job_id:
                earlier.setdefault(item.ref.job_id, []).append(item)
            else:
                found[item.task] = item.ref.mark or self._held(item.ref.hash, job, seconds)
        for source, items in earlier.items():
            found.update(self._adopted(source, items, job))
        return found

    def _held(self, content: str, job: str, seconds: float) -> bytes:
        mark = self._mds.hold_input(content, job, seconds)
        if mark is None:
            raise InputLost(content)
        return mark

    def _adopted(self, source: str, items: list[graph_pb2.Input], job: str) -> dict[int, bytes]:
        if not is_job_id(source):
            raise InvalidGraph(f"the input of task {items[0].task} is a value of {source!r}, which is no job's id")
        found: dict[int, bytes] = {}
        for item, mark in zip(items, self._mds.results(source, [item.ref.task for item in items]), strict=True):
            if mark is None:
                raise InputLost(f"task {item.ref.task} of job {source}")
            names = (source, str(item.ref.task)), (job, str(item.task))
            found[item.task] = adopt(self._signer, mark, *names)
        return found
