"""One job for one call or for all calls of a `map`: its graph, and how its futures get their values."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from dask._task_spec import DataNode, Dict, GraphNode, List, Set, Task, Tuple

from wukong.client import results
from wukong.client.future import Future, Remote, Share, is_large
from wukong.client.job import Job
from wukong.client.session import Session
from wukong.errors import JobCancelled, WukongError
from wukong.graph.attempt import attempt
from wukong.graph.dag import Key
from wukong.graph.reference import Reference
from wukong.rpc.v1 import job_pb2

_CONTAINERS: dict[type, Callable[..., GraphNode]] = {list: List, tuple: Tuple, set: Set}


def calls(
    function: Callable[..., Any], arguments: Sequence[Sequence[Any]], keywords: Mapping[str, Any]
) -> dict[Key, Task]:
    """A graph with one task for each list of arguments, whose exception is a value.

    Futures among the arguments, also in lists, tuples, sets and dicts, become inputs.
    """
    name = f"{getattr(function, '__name__', type(function).__name__)}-{secrets.token_hex(8)}"
    shared = {word: embed(value) for word, value in keywords.items()}
    keys: list[Key] = [(name, number) for number in range(len(arguments))] if len(arguments) != 1 else [name]
    return {
        key: Task(key, attempt, function, *map(embed, row), **shared) for key, row in zip(keys, arguments, strict=True)
    }


def embed(value: Any) -> Any:
    """An argument as the graph wants it: with nodes in place of futures, and of containers that hold some."""
    if isinstance(value, Reference):
        return DataNode(None, value)
    kind = type(value)
    if kind is dict:
        items = {key: embed(item) for key, item in value.items()}
        return Dict(items) if _nodes(items.values()) else value
    if kind in _CONTAINERS:
        parts = [embed(item) for item in value]
        return _CONTAINERS[kind](*parts) if _nodes(parts) else value
    return value


def _nodes(items: Iterable[Any]) -> bool:
    return any(isinstance(item, GraphNode) for item in items)


def run(futures: Sequence[Future], share: Share, submit: Callable[[], Job]) -> None:
    """Submit a graph and give each future its value. Whatever goes wrong is told to the futures.

    Args:
        futures: One for each task, of the same key.
        share: What they have in common.
        submit: Submits the graph; waits for the futures in it.
    """
    try:
        if share.abandoned:
            return
        job = submit()
        share.started(job)
        tasks = job.tasks()
        waiting = {tasks[future.key]: future for future in futures}
        if (stores := share.session.stores) is not None:
            job.on_progress(lambda: _deliver(job.id, waiting, stores.mds.results(job.id, list(waiting)), share.session))
        ended = job.finished()
        marks = {result.task: result.mark for result in ended.results}
        _deliver(job.id, waiting, [marks.get(task, b"") for task in waiting], share.session)
    except BaseException as error:
        _fail(futures, error, share)


def _fail(futures: Sequence[Future], error: BaseException, share: Share) -> None:
    if share.session.closed:  # which is why it failed, however that showed
        error = JobCancelled("the client was closed before the future was done")
    for future in futures:
        future.fail(error)


def _deliver(job_id: str, waiting: dict[int, Future], marks: Sequence[bytes | None], session: Session) -> None:
    """Settle those of the waiting futures whose values are there, and forget them."""
    there = [(task, mark) for task, mark in zip(list(waiting), marks, strict=True) if mark is not None]
    values = _read(job_id, [(task, mark) for task, mark in there if not is_large(mark)], session)
    for task, mark in there:
        future, value = waiting.pop(task), values.get(task)
        if isinstance(value, _UnreadableError):
            future.fail(value.reason)
        else:
            future.settle(task, mark, value)


class _UnreadableError(Exception):
    """In place of a value that cannot be read."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(reason)
        self.reason = reason


def _read(job_id: str, items: Sequence[tuple[int, bytes]], session: Session) -> dict[int, Any]:
    if not items:
        return {}
    asked = [job_pb2.Result(task=task, mark=mark) for task, mark in items]
    try:
        found = results.read(job_id, asked, session.connection, session.stores)
        # What is lost was large, and is computed again when somebody asks for it.
        return found.values | {error.task: Remote() for error in found.missing}
    except Exception as error:
        if len(items) == 1:
            return {items[0][0]: _UnreadableError(error)}
        if isinstance(error, WukongError) and error.retryable:
            raise
        # One value that cannot be unpickled here must not keep the others.
        return {task: value for item in items for task, value in _read(job_id, [item], session).items()}
