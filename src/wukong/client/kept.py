"""`Kept`: one value of a persisted collection, which stays in the cluster while the collection lives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dask._task_spec import Alias

from wukong.client.job import Job
from wukong.errors import InvalidGraph
from wukong.graph.dag import Key
from wukong.graph.reference import Reference, ReferenceTask, reference_of, value_of


class Kept(Reference):
    """The value of one task of a job that was submitted to be used by others.

    The job is released when the last of its values is gone. Pickled, this becomes the value itself, which is read from
    the cluster for that; a copy is the same object.

    Args:
        job: The job, which may still run.
        task: The task.
        key: Its key.
    """

    __slots__ = ("_job", "_key", "_task")

    def __init__(self, job: Job, task: int, key: Key) -> None:
        self._job = job
        self._task = task
        self._key = key

    def stands(self, address: str) -> tuple[str, int]:
        """See `Reference`."""
        here = self._job.session.connection.address
        if here != address:
            raise InvalidGraph(
                f"the persisted value {self._key!r} is one of another cluster ({here}) than {address}, which does not "
                "have it; compute it with a client of its own cluster"
            )
        self._finish()
        return self._job.id, self._task

    def value(self) -> Any:
        """See `Reference`."""
        self._finish()
        return self._job.values([self._task])[self._task]

    def _finish(self) -> None:
        self._job.session.check_holds(f"the persisted value {self._key!r}")
        self._job.finished()

    def __reduce__(self) -> tuple[Callable[[Any], Any], tuple[Any]]:
        return value_of, (self.value(),)

    def __dask_tokenize__(self) -> tuple[str, str, int]:
        return "wukong.Kept", self._job.id, self._task

    def __repr__(self) -> str:
        return f"<Kept {self._key!r} of job {self._job.id}>"


def keep(dsk: Mapping[Key, Any], keys: Sequence[Key], submit: Callable[[list[Key]], Job]) -> list[ReferenceTask]:
    """A node of a new graph for each key: one that stands for its value, which one job computes and keeps.

    What was persisted before is taken as it is.

    Args:
        dsk: The graph.
        keys: The keys.
        submit: Submits the graph, to compute the keys that it is given.
    """
    nodes: dict[Key, ReferenceTask] = {}
    for key in keys:
        if (known := _kept(dsk, key)) is not None:
            nodes[key] = ReferenceTask(key, value_of, known)
    if new := [key for key in dict.fromkeys(keys) if key not in nodes]:
        job = submit(new)
        nodes.update((key, ReferenceTask(key, value_of, Kept(job, task, key))) for key, task in job.tasks().items())
    return [nodes[key] for key in keys]


def _kept(dsk: Mapping[Key, Any], key: Key) -> Reference | None:
    node: Any = dsk.get(key)
    while type(node) is Alias:
        node = dsk.get(node.target)
    return reference_of(node)
