from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest

from wukong.errors import InvalidGraph, LimitExceeded
from wukong_scheduler.admission import Shape, check_graph, check_payloads
from wukong_scheduler.limits import Limits


def words(values: Sequence[int]) -> bytes:
    return np.asarray(values, dtype="<u4").tobytes()


def rows(dependencies: Sequence[Sequence[int]]) -> tuple[bytes, bytes]:
    offsets = np.cumsum([0] + [len(deps) for deps in dependencies])
    return words(offsets.tolist()), words([dep for deps in dependencies for dep in deps])


def check(
    dependencies: Sequence[Sequence[int]],
    targets: Sequence[int] | None = None,
    firsts: Sequence[int] = (0,),
    inputs: Sequence[int] = (),
    limits: Limits | None = None,
) -> Shape:
    offsets, deps = rows(dependencies)
    targets = [len(dependencies) - 1] if targets is None else targets
    return check_graph(offsets, deps, words(targets), firsts, inputs, limits or Limits())


DIAMOND = [[], [0], [0], [1, 2]]


def test_a_good_graph_keeps_its_shape() -> None:
    shape = check(DIAMOND, targets=[3, 1], firsts=[0, 2])
    assert shape.tasks == 4
    assert shape.leaves.tolist() == [0]
    assert shape.offsets.tolist() == [0, 0, 1, 2, 4]
    assert shape.deps.tolist() == [0, 0, 1, 2]
    assert shape.targets.tolist() == [3, 1]
    assert shape.firsts.tolist() == [0, 2]


def test_dependencies_need_not_be_in_order() -> None:
    assert check([[], [], [], [2, 0, 1]]).deps.tolist() == [2, 0, 1]


def test_leaves_are_in_depth_first_order() -> None:
    assert check([[], [], [0, 1], [], [2, 3], []], targets=[4, 5]).leaves.tolist() == [0, 1, 3, 5]


@pytest.mark.parametrize(
    ("dependencies", "message"),
    [
        ([[], [1]], "task 1 depends on itself: the graph has a cycle"),
        ([[], [2], [1]], "task 1 depends on task 2, which comes after it"),
        ([[], [7]], "task 1 depends on task 7, which is unknown: the graph has 2 tasks"),
        ([[], [0, 0]], "task 1 names its dependency 0 twice"),
        ([[], [], [0, 1, 0]], "task 2 names its dependency 0 twice"),
        ([], "the graph has no tasks"),
    ],
)
def test_bad_edges_are_refused(dependencies: list[list[int]], message: str) -> None:
    with pytest.raises(InvalidGraph, match=message):
        check(dependencies, targets=[0])


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([], "no targets"),
        ([4], "target 4 is unknown"),
        ([3, 1, 3], "target 3 is named twice"),
    ],
)
def test_bad_targets_are_refused(targets: list[int], message: str) -> None:
    with pytest.raises(InvalidGraph, match=message):
        check(DIAMOND, targets=targets)


@pytest.mark.parametrize(
    ("firsts", "message"),
    [
        ([], "4 tasks and no page"),
        ([1], "begins with task 1, not with task 0"),
        ([0, 2, 2], "page 2 begins with task 2, not after page 1"),
        ([0, 3, 1], "page 2 begins with task 1, not after page 1"),
        ([0, 4], "page 1 begins with task 4, but the graph has only 4"),
    ],
)
def test_pages_that_do_not_cover_the_graph_are_refused(firsts: list[int], message: str) -> None:
    with pytest.raises(InvalidGraph, match=message):
        check(DIAMOND, firsts=firsts)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([3], "task 3 is an uploaded input and has dep"),
        ([0, 0], "task 0 has two inputs"),
        ([9], "task 9 is for an unknown"),
    ],
)
def test_bad_inputs_are_refused(inputs: list[int], message: str) -> None:
    message = message.replace("task 9 is", "input of task 9 is")
    with pytest.raises(InvalidGraph, match=message):
        check(DIAMOND, inputs=inputs)


@pytest.mark.parametrize(
    ("offsets", "deps", "message"),
    [
        (b"", b"", "no tasks"),
        (words([0]), b"", "no tasks"),
        (b"\0\0\0\0\0", b"", "dep_offsets has 5 bytes"),
        (words([0, 0]), b"\0\0", "deps has 2 bytes"),
        (words([1, 1]), words([0]), "begins with 1"),
        (words([0, 0, 2, 1]), words([0]), "falls at task 2"),
        (words([0, 0, 2]), words([0]), "ends with 2, but deps has 1"),
        (words([0, 0]), words([0]), "ends with 0, but deps has 1"),
    ],
)
def test_bytes_that_are_no_sparse_rows_are_refused(offsets: bytes, deps: bytes, message: str) -> None:
    with pytest.raises(InvalidGraph, match=message):
        check_graph(offsets, deps, words([0]), [0], [], Limits())


@pytest.mark.parametrize(
    ("limits", "name", "value"),
    [(Limits(tasks=3), "tasks", 4), (Limits(edges=3), "edges", 4), (Limits(inputs=1), "inputs", 2)],
)
def test_each_count_has_a_limit(limits: Limits, name: str, value: int) -> None:
    with pytest.raises(LimitExceeded) as caught:
        check([[], [], [0], [0, 1, 2]], inputs=[0, 1], limits=limits)
    assert (caught.value.limit, caught.value.value) == (name, value)
    check([[], [], [0], [0, 1, 2]], inputs=[0, 1], limits=Limits(tasks=4, edges=4, inputs=2))


def test_payloads_are_counted_and_measured() -> None:
    check_payloads([10, 20], 2, Limits(page_bytes=20, payload_bytes=30))
    with pytest.raises(InvalidGraph, match="3 pages, but 2 payloads"):
        check_payloads([1, 1], 3, Limits())
    with pytest.raises(LimitExceeded, match="page_bytes is 21, above the limit of 20"):
        check_payloads([21], 1, Limits(page_bytes=20))
    with pytest.raises(LimitExceeded, match="payload_bytes is 31, above the limit of 30"):
        check_payloads([16, 15], 2, Limits(page_bytes=20, payload_bytes=30))


def test_limits_are_read_from_json_and_misspelt_ones_refused() -> None:
    assert Limits.parse("") == Limits()
    assert Limits.parse('{"tasks": 5}') == Limits(tasks=5)
    with pytest.raises(ValueError, match="keys among"):
        Limits.parse('{"task": 5}')
    with pytest.raises(ValueError, match="positive integer"):
        Limits.parse('{"tasks": 0}')


def test_a_million_tasks_take_well_under_a_second() -> None:
    tasks = 1_000_000
    counts = np.full(tasks, 2)
    counts[:2] = 0
    offsets = np.concatenate(([0], np.cumsum(counts))).astype("<u4")
    deps = (np.arange(2, tasks).repeat(2) - np.tile([1, 2], tasks - 2)).astype("<u4")
    began = time.process_time()
    shape = check_graph(offsets.tobytes(), deps.tobytes(), words([tasks - 1]), range(0, tasks, 256), [0, 1], Limits())
    assert time.process_time() - began < 1
    assert shape.tasks == tasks
