"""Pages of programs, pickled: what a client uploads and an executor unpickles.

A page holds up to 256 tasks or about 256 KiB. One pickle per page means that a function which its tasks share is
stored once. cloudpickle costs no more than pickle here: it only steps in for functions and classes.

The first byte of a payload says how to read the rest: `P` is a pickle of (keys, programs), `J` is calls by name
(`wukong.graph.calls`). Where something was said about how the page's tasks should run, the tuple has a third item
(`wukong.graph.hints`).
"""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cloudpickle

from wukong.errors import InvalidGraph, LimitExceeded, MissingModule
from wukong.graph.calls import CALLS, compile_calls
from wukong.graph.dag import Dag, Key, Program
from wukong.graph.hints import Hints

PICKLE = b"P"
#: What the unpickler says when a module is there and the function in it is not.
_ABSENT = re.compile(r"Can't get attribute .* on <module '([^']+)'")

MOST_TASKS = 256
#: Bytes that a page of several tasks stays below.
MOST_BYTES = 256 * 1024
#: Bytes that a page of a single task may have.
LIMIT_BYTES = 64 * 1024 * 1024

#: Classes through which tasks exchange values in a directory. Executors share none: each would find there only what it
#: wrote itself, and results would lack the rest, in silence.
_DIRECTORIES = {("partd.file", "File"), ("dask.dataframe.shuffle", "maybe_buffered_partd")}
#: What every pickle that names one of them contains.
_DIRECTORY_SIGN = b"partd"


class Loaded(NamedTuple):
    """The tasks of a page, in order, and what was said about how they should run."""

    keys: Sequence[Key]
    programs: Sequence[Program | None]
    hints: Hints


@dataclass(frozen=True, slots=True)
class Payload:
    """The programs of the tasks `first` to `first + count - 1`."""

    first: int
    count: int
    data: bytes


def cut(dag: Dag) -> list[Payload]:
    """The pages of a graph, in the order of its tasks.

    Call `wukong.graph.modules.register_user_modules` before, so that functions of the user's own modules travel along.

    Raises:
        InvalidGraph: A task cannot be pickled; names it and says why.
        LimitExceeded: A single task is larger than `LIMIT_BYTES`.
    """
    payloads = []
    first, count = 0, MOST_TASKS
    while first < len(dag):
        count = min(count, len(dag) - first)
        data = _dump_tasks(dag, first, count)
        if len(data) > MOST_BYTES and count > 1:
            count = max(1, count * MOST_BYTES // len(data))
            continue
        if len(data) > LIMIT_BYTES:
            raise LimitExceeded(
                f"the size in bytes of task {dag.keys[first]!r} when pickled",
                len(data),
                LIMIT_BYTES,
                "Its function holds a large object; pass that as an argument, so that it is uploaded once.",
            )
        payloads.append(Payload(first, count, data))
        first += count
        if len(data) * 2 < MOST_BYTES:
            count = min(2 * count, MOST_TASKS)
    return payloads


def load(data: bytes | memoryview, functions: Mapping[str, Callable[..., Any]] | None = None, first: int = 0) -> Loaded:
    """The tasks of a page, which must come from a trusted place: this unpickles.

    Args:
        data: A payload.
        functions: The callables that calls by name may reach, by "module:name".
        first: The first task of the page; the hints of calls by name are by place.

    Raises:
        MissingModule: The page names a module or function that is not installed here.
        InvalidGraph: A call by name names a function that is not in `functions`.
        ValueError: The data is not a payload.
    """
    view = memoryview(data)
    tag = bytes(view[:1])
    if tag == CALLS:
        keys, programs, again = compile_calls(view[1:], functions or {})
        return Loaded(keys, programs, Hints({first + place: count for place, count in again.items()}))
    if tag != PICKLE:
        raise ValueError(f"not a payload: it begins with {tag!r}")
    try:
        keys, programs, *hints = pickle.loads(view[1:])
    except ImportError as error:
        raise MissingModule(error.name or "a module", str(error)) from error
    except AttributeError as error:
        module = _ABSENT.match(str(error))
        if module is None:
            raise
        raise MissingModule(module[1], str(error)) from error
    return Loaded(keys, programs, Hints(*hints[0]) if hints else Hints())


def _dump_tasks(dag: Dag, first: int, count: int) -> bytes:
    try:
        return _dump(dag, first, count)
    except Exception as error:
        raise _culprit(dag, first, count, error) from error


def _dump(dag: Dag, first: int, count: int) -> bytes:
    file = io.BytesIO()
    file.write(PICKLE)
    tasks: tuple[Any, ...] = dag.keys[first : first + count], dag.programs[first : first + count]
    if (hints := dag.hints.between(first, first + count)) is not None:
        tasks = (*tasks, hints)
    cloudpickle.Pickler(file, protocol=5).dump(tasks)
    data = file.getvalue()
    if _DIRECTORY_SIGN in data:
        _Search(io.BytesIO(), protocol=5).dump(tasks)
    return data


class _DirectoryError(Exception):
    """Tasks would exchange values through a directory."""


class _Search(cloudpickle.Pickler):  # type: ignore[misc]
    """Looks for `_DIRECTORIES` in what it pickles."""

    def reducer_override(self, obj: Any) -> Any:
        """See `pickle.Pickler`: called for everything but plain data.

        Raises:
            _DirectoryError: This is one of the classes.
        """
        if isinstance(obj, type) and (obj.__module__, obj.__qualname__) in _DIRECTORIES:
            raise _DirectoryError(
                "it exchanges values with others through a directory, which executors do not share; set Dask's "
                "'dataframe.shuffle.method' to 'tasks' (inside `with Client(...)` it is), or pass "
                "shuffle='tasks' to a bag's groupby, shuffle_method='tasks' to a dataframe's methods"
            )
        return super().reducer_override(obj)


def _culprit(dag: Dag, first: int, count: int, error: Exception) -> InvalidGraph:
    """The error that names the first task of a page that cannot be pickled, found by halving the page."""
    while count > 1:
        half = count // 2
        try:
            _dump(dag, first, half)
        except Exception as cause:
            error, count = cause, half
        else:
            first, count = first + half, count - half
    reason = str(error)
    if not isinstance(error, _DirectoryError):
        reason = f"it cannot be pickled: {type(error).__name__}: {reason}"
    return InvalidGraph(f"task {dag.keys[first]!r} cannot be sent to an executor, because {reason}")
