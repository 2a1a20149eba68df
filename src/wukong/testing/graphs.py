"""Random Dask graphs from a seed, for tests that compare with Dask's own scheduler.

`random_graph(seed)` draws a shape (who depends on whom) and a size, and writes each task down in one of the many forms
that Dask accepts. Every function is deterministic, cheap and importable, so that the graph gives the same values
wherever it runs.
"""

from __future__ import annotations

import random
import zlib
from collections import namedtuple
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from dask._task_spec import Alias, DataNode, Dict, List, Set, Task, TaskRef, Tuple, _execute_subgraph
from dask.utils import apply

from wukong.graph.dag import Key

#: The dependencies of each task; every dependency comes before its dependents.
Shape: TypeAlias = list[list[int]]

Pair = namedtuple("Pair", ["left", "right"])

_PRIME = 2_147_483_647


def random_graph(seed: int, tasks: int | None = None, shape: str | None = None) -> tuple[dict[Key, Any], list[Any]]:
    """A graph and the keys to ask for, the same for the same arguments.

    Args:
        seed: Everything is drawn from it.
        tasks: About how many tasks the graph has; None draws 1 to 2,000, small graphs more often.
        shape: One of `SHAPES`; None draws one.

    Returns:
        The dictionary, and a list of keys in which lists may be nested and keys may come twice.
    """
    rng = random.Random(f"graph-{seed}")
    count = tasks if tasks is not None else round(2000 ** rng.random())
    name = shape if shape is not None else rng.choice(list(SHAPES))
    return _Writer(rng).write(SHAPES[name](rng, max(1, count)))


def digest(value: Any) -> int:
    """A number for any value that the tasks of random graphs pass on."""
    if value is None:
        return 17
    if isinstance(value, (bool, int, float)):
        return int(value * 1009) % _PRIME
    if isinstance(value, str):
        return zlib.crc32(value.encode())
    if isinstance(value, np.ndarray):
        return zlib.crc32(np.ascontiguousarray(value).tobytes())
    if isinstance(value, dict):
        return sum(digest(key) * 31 + digest(item) for key, item in value.items()) % _PRIME
    if isinstance(value, (set, frozenset)):
        return sum(digest(item) for item in value) % _PRIME
    if isinstance(value, (list, tuple)):
        return sum((place + 1) * digest(item) for place, item in enumerate(value)) % _PRIME
    raise TypeError(f"a random graph passed on a {type(value).__name__}")


def mix(*args: Any, scale: Any = 1, **kwargs: Any) -> int:
    """A number that depends on every argument and its place."""
    return (digest(args) * (digest(scale) % 97 + 1) + digest(kwargs)) % _PRIME


def nothing(*args: Any) -> None:
    """None, which is a value like others."""


def array(*args: Any) -> np.ndarray[Any, Any]:
    """A small array."""
    return np.arange(digest(args) % 7 + 1, dtype=np.float64) * (digest(args) % 101)


def large_array(*args: Any) -> np.ndarray[Any, Any]:
    """An array of 160 kB."""
    return np.full(20_000, digest(args), np.int64)


def listed(*args: Any) -> list[Any]:
    """The arguments, as a value with parts."""
    return [digest(args), {"count": len(args)}, (None, "x")]


def same_value(left: Any, right: Any) -> bool:
    """Whether two results are equal in type and value, arrays and nested containers included."""
    if type(left) is not type(right):
        return False
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and bool(np.array_equal(left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same_value(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same_value, left, right))
    return bool(left == right)


def _chain(rng: random.Random, count: int) -> Shape:
    return [[task - 1] if task else [] for task in range(count)]


def _map(rng: random.Random, count: int) -> Shape:
    return [[task - 1] if task % 2 else [] for task in range(count)]


def _tree(rng: random.Random, count: int) -> Shape:
    arity = rng.randint(2, 5)
    shape: Shape = [[] for _ in range(max(1, count - count // arity))]
    waiting = list(range(len(shape)))
    while len(waiting) > 1:
        shape.append(waiting[:arity])
        waiting = [*waiting[arity:], len(shape) - 1]
    return shape


def _fan_out(rng: random.Random, count: int) -> Shape:
    return [[0] if task else [] for task in range(count)]


def _fan_in(rng: random.Random, count: int) -> Shape:
    return [list(range(task)) if task and task == count - 1 else [] for task in range(count)]


def _diamond(rng: random.Random, count: int) -> Shape:
    shape: Shape = [[]]
    while len(shape) < count:
        top, width = len(shape) - 1, rng.randint(1, 12)
        shape += [[top] for _ in range(width)]
        shape.append(list(range(top + 1, top + 1 + width)))
    return shape


def _layered(rng: random.Random, count: int) -> Shape:
    shape: Shape = []
    above: list[int] = []
    while len(shape) < count:
        width = rng.randint(1, max(1, count // 4))
        layer = list(range(len(shape), len(shape) + width))
        shape += [rng.sample(above, min(len(above), rng.randint(0, 4))) for _ in layer]
        above = layer
    return shape


def _random(rng: random.Random, count: int) -> Shape:
    return [rng.sample(range(task), min(task, rng.choice([0, 1, 1, 2, 2, 3, 8]))) for task in range(count)]


def _all_to_all(rng: random.Random, count: int) -> Shape:
    width = rng.randint(1, max(1, min(25, count // 2)))
    return [
        list(range(task - task % width - width, task - task % width)) if task >= width else [] for task in range(count)
    ]


def _disconnected(rng: random.Random, count: int) -> Shape:
    shape: Shape = []
    while len(shape) < count:
        start = len(shape)
        part = rng.choice([_chain, _tree, _fan_in, _diamond, _random])(rng, rng.randint(1, max(1, count // 3)))
        shape += [[start + needed for needed in needs] for needs in part]
    return shape


SHAPES: dict[str, Callable[[random.Random, int], Shape]] = {
    "chain": _chain,
    "map": _map,
    "tree": _tree,
    "fan-out": _fan_out,
    "fan-in": _fan_in,
    "diamond": _diamond,
    "layered": _layered,
    "random": _random,
    "all-to-all": _all_to_all,
    "disconnected": _disconnected,
}


class _Writer:
    """Writes a shape down as a Dask graph."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._dsk: dict[Key, Any] = {}
        #: Embedded in many graphs in several places, as a persisted array would be.
        self._persisted = np.arange(12_000, dtype=np.float64)
        #: Sub-graphs that many tasks share, as the tasks of one blockwise layer do.
        self._blocks = {
            2: {"in": Task("in", mix, TaskRef("_1"), 5, TaskRef("_0")), "out": Task("out", listed, TaskRef("in"))},
            3: {
                "data": DataNode("data", self._persisted),
                "in": Task("in", array, TaskRef("_2"), TaskRef("_0")),
                "out": Task("out", mix, TaskRef("data"), TaskRef("in"), TaskRef("_1"), TaskRef("_2")),
            },
        }

    def write(self, shape: Shape) -> tuple[dict[Key, Any], list[Any]]:
        rng = self._rng
        keys: list[Key] = []
        for number, needs in enumerate(shape):
            key: Key = ("part", number, 0) if rng.random() < 0.3 else f"task-{number}"
            needed = [keys[task] for task in needs]
            self._dsk[key] = self._task(key, needed) if needed else self._leaf(key)
            keys.append(self._alias(key) if rng.random() < 0.05 else key)
        used = {task for needs in shape for task in needs}
        wanted: list[Any] = [key for task, key in enumerate(keys) if task not in used]
        if len(wanted) > 1 and rng.random() < 0.2:
            wanted.pop()  # what only that key needs must not run
        wanted += rng.sample(keys, min(len(keys), rng.randint(0, 3)))
        if rng.random() < 0.5:
            cut = rng.randrange(len(wanted))
            wanted = [*wanted[:cut], [wanted[cut:], [wanted[0]]]]
        items = list(self._dsk.items())
        rng.shuffle(items)
        return dict(items), wanted

    def _function(self) -> Callable[..., Any]:
        functions: list[Callable[..., Any]] = [mix, nothing, array, large_array, listed]
        return self._rng.choices(functions, [80, 4, 8, 1, 7])[0]

    def _leaf(self, key: Key) -> Any:
        rng = self._rng
        number = rng.randrange(1_000_000)
        forms: list[Callable[[], Any]] = [
            lambda: number,
            lambda: None,
            lambda: f"no key {number}",
            lambda: [number, None, [2.5]],
            lambda: (self._function(), number),
            lambda: (mix, [number, "no key"], {"name": "no key"}),
            lambda: Task(key, self._function(), number, None),
            lambda: Task(key, mix, [1, 2], scale=number),
            lambda: DataNode(key, number),
            lambda: DataNode(key, {"a": [number]}),
            lambda: DataNode(key, np.arange(number % 50)),
            lambda: DataNode(key, self._persisted),
            lambda: Task(key, mix, self._persisted, number),
            lambda: self._fused(key, [number]),
        ]
        # Plain forms that hold large arrays or None are rarer than calls.
        weights = [3, 1, 1, 1, 8, 3, 8, 3, 3, 1, 2, 1, 1, 3]
        return rng.choices(forms, weights)[0]()

    def _task(self, key: Key, needs: list[Key]) -> Any:
        rng = self._rng
        number = rng.randrange(100)
        refs = [TaskRef(needed) for needed in needs]
        first, rest = needs[0], needs[1:]
        forms: list[Callable[[], Any]] = [
            lambda: (self._function(), *needs),
            lambda: (mix, number, *needs, *needs[:2]),
            lambda: (self._function(), needs),
            lambda: (mix, [[first], [*rest, "no key"]], {"a": first, "b": number}),
            lambda: (mix, (nothing, first), (mix, needs, number)),
            lambda: (apply, mix, list(needs), {"scale": number}),
            lambda: (apply, mix, [first], (dict, [["scale", first], ["rest", rest]])),
            lambda: (mix, Pair(first, rest), (number, *rest, None)),
            lambda: list(needs),
            lambda: Task(key, self._function(), *refs),
            lambda: Task(key, mix, *refs, number, scale=refs[0], other=[number]),
            lambda: Task(key, mix, List(*refs), Dict({"a": refs[0], "b": List(number, refs[-1])})),
            lambda: Task(key, mix, Tuple(refs[0], number), Set(number, 7), Alias(first), *refs[1:]),
            lambda: Task(key, mix, Task(None, listed, *refs), DataNode(None, number)),
            lambda: self._fused(key, refs),
            lambda: self._block(key, refs),
        ]
        return rng.choice(forms)()

    def _fused(self, key: Key, operands: list[Any]) -> Task:
        """Two or more tasks in one, as Dask's optimisation makes them."""
        inner: list[Any] = [Task(("inner", key, 0), mix, *operands)]
        if self._rng.random() < 0.3:
            inner.append(DataNode(("inner", key, "data"), self._persisted[: self._rng.choice([3, 12_000])]))
        for number in range(1, self._rng.randint(2, 5)):
            arguments = [TaskRef(task.key) for task in inner[-2:]]
            inner.append(Task(("inner", key, number), self._rng.choice([mix, listed, array]), *arguments))
        inner.append(Task(("inner", key, "out"), mix, *[TaskRef(task.key) for task in inner]))
        fused = Task.fuse(*inner, key=key)
        assert isinstance(fused, Task)
        return fused

    def _block(self, key: Key, refs: list[TaskRef]) -> Task:
        """A task of a blockwise layer: its own inputs for a sub-graph that others have too."""
        count = self._rng.choice([2, 3])
        inputs = [refs[number % len(refs)] for number in range(count)]
        names = tuple(f"_{number}" for number in range(count))
        return Task(key, _execute_subgraph, self._blocks[count], "out", names, *inputs)

    def _alias(self, key: Key) -> Key:
        """A key that stands for another one, through a chain of aliases."""
        for number in range(self._rng.randint(1, 4)):
            alias = f"alias-{number}-of-{key}"
            self._dsk[alias] = key if self._rng.random() < 0.5 else Alias(alias, key)
            key = alias
        return key
