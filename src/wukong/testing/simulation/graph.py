"""Graphs for simulations: a random shape, symbolic values, and the pages that the real code makes of them.

The value of a task is a number that depends on the task and on its inputs in their order, so a wrong input anywhere
shows in the result. Only its size is drawn.
"""

from __future__ import annotations

import random
from typing import NamedTuple

import numpy as np

from wukong.graph.order import depth_first
from wukong.graph.page import Page, build_pages
from wukong.testing.graphs import SHAPES


class Value(NamedTuple):
    """What a task returns: a number that stands for the value, and how many bytes it is taken to have."""

    number: int
    nbytes: int


class Graph:
    """One random graph.

    Attributes:
        deps: The dependencies of each task, in depth-first post-order as those of real graphs.
        sinks: The tasks whose values are asked for.
        leaves: The tasks without dependencies.
        inputs: The tasks that have an uploaded value and no program: task -> content hash.
        seconds: How long each task runs.
    """

    def __init__(self, seed: str, shape: str, tasks: int, page: int, task_seconds: float, sizes: str) -> None:
        rng = random.Random(seed)
        drawn = SHAPES[shape](rng, tasks)
        used = {needed for needs in drawn for needed in needs}
        ends = [task for task in range(len(drawn)) if task not in used]
        order = depth_first(drawn, ends)
        number = {task: position for position, task in enumerate(order)}
        self.seed = seed
        self.deps = [[number[needed] for needed in drawn[task]] for task in order]
        extra = rng.sample(range(len(order)), min(len(order), rng.choice([0, 0, 1, 3])))
        self.sinks = sorted({number[task] for task in ends}.union(extra))
        self.leaves = [task for task, needs in enumerate(self.deps) if not needs]
        share = rng.choice([0.0, 0.0, 0.2])
        self.inputs = {task: f"{rng.getrandbits(256):064x}" for task in self.leaves if rng.random() < share}
        self.seconds = [task_seconds * rng.choice([0.2, 1.0, 1.0, 3.0]) for _ in order]
        choices = {"small": [60, 3_000], "large": [20_000, 200_000], "mixed": [60, 60, 3_000, 20_000, 200_000]}[sizes]
        self._nbytes = [rng.choice(choices) for _ in order]
        self._page = page
        self.firsts = list(range(0, len(order), page))

    def compute(self, task: int, inputs: list[Value]) -> Value:
        """What a task returns for the values of its inputs."""
        number = 0
        for character in self.seed:
            number = number * 131 + ord(character) & 0xFFFFFFFF
        return Value(hash((number, task, *[value.number for value in inputs])), self._nbytes[task])

    def evaluate(self) -> list[Value]:
        """The value of every task, computed plainly in order."""
        values: list[Value] = []
        for task, needs in enumerate(self.deps):
            values.append(self.compute(task, [values[needed] for needed in needs]))
        return values

    def pages(self, marks: dict[int, bytes]) -> list[bytes]:
        """The bodies of its pages, given the marks of its inputs."""
        offsets = np.cumsum([0, *map(len, self.deps)])
        deps = np.array([needed for needs in self.deps for needed in needs], np.uint32)
        payloads = [b""] * len(self.firsts)
        return build_pages(
            offsets.astype(np.uint32), deps, np.array(self.sinks, np.uint32), self.firsts, payloads, marks
        )


class PageReader:
    """Decodes pages, each body once."""

    def __init__(self) -> None:
        self._pages: dict[bytes, Page] = {}

    def decode(self, body: bytes) -> Page:
        """The page in a body."""
        page = self._pages.get(body)
        if page is None:
            page = self._pages[body] = Page.decode(body)
        return page
