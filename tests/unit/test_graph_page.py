import random

import numpy as np
import pytest

from wukong.graph.order import depth_first
from wukong.graph.page import Page, build_pages


def arrays(dependencies):
    offsets = np.cumsum([0, *map(len, dependencies)]).astype(np.uint32)
    return offsets, np.array([d for needs in dependencies for d in needs], np.uint32)


def expected_out(dependencies, task):
    return [(c, needs.index(task), len(needs)) for c, needs in enumerate(dependencies) if task in needs]


@pytest.mark.parametrize("seed", range(40))
def test_pages_hold_the_edges_both_ways(seed):
    rng = random.Random(seed)
    count = rng.choice([1, 2, 10, 300])
    dependencies = [rng.sample(range(task), min(task, rng.randint(0, 5))) for task in range(count)]
    targets = rng.sample(range(count), rng.randint(1, count))
    inputs = {task: bytes(rng.randbytes(rng.randint(0, 9))) for task in rng.sample(range(count), count // 3)}
    firsts = sorted({0, *rng.sample(range(count), min(count, 4))})
    payloads = [b"P" + str(first).encode() * first for first in firsts]
    bodies = build_pages(*arrays(dependencies), np.array(targets, np.uint32), firsts, payloads, inputs)
    pages = [Page.decode(body) for body in bodies]
    assert [page.first for page in pages] == firsts
    assert sum(page.count for page in pages) == count
    assert [bytes(page.payload) for page in pages] == payloads
    for page in pages:
        tasks = range(page.first, page.first + page.count)
        assert page.sinks == set(targets) & set(tasks)
        assert page.inputs == {task: inputs[task] for task in tasks if task in inputs}
        for task in tasks:
            assert page.deps(task) == dependencies[task]
            assert page.out(task) == expected_out(dependencies, task)
            assert all(type(number) is int for edge in page.out(task) for number in edge)


def test_a_body_that_is_no_page_is_refused():
    (body,) = build_pages(*arrays([[], [0]]), np.array([1], np.uint32), [0], [b"payload"], {})
    assert bytes(Page.decode(memoryview(body)).payload) == b"payload"
    for wrong in (b"", b"x" * 10, b"x" * 100, body[:40], b"\0" + body[1:]):
        with pytest.raises(ValueError, match="not a page"):
            Page.decode(wrong)


def test_depth_first_visits_what_is_needed_once_and_dependencies_first():
    dependencies = [[1, 2], [3], [3], [], [0], [5]]
    assert depth_first(dependencies, [0, 3, 0]) == [3, 1, 2, 0]
    assert depth_first(dependencies, [4]) == [3, 1, 2, 0, 4]


def test_depth_first_is_as_deep_as_the_graph():
    count = 100_000
    assert depth_first([[task + 1] if task + 1 < count else [] for task in range(count)], [0])[-1] == 0
