"""Depth-first order of a graph, without recursion and in linear time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from wukong.errors import InvalidGraph

_UNSEEN, _OPEN, _DONE = 0, 1, 2


def depth_first(
    dependencies: Sequence[Sequence[int]], roots: Iterable[int], name: Callable[[int], object] = int
) -> list[int]:
    """The tasks that `roots` need, in post-order: dependencies first, in the order in which they are listed.

    Args:
        dependencies: The dependencies of each task.
        roots: The tasks to start from, in order.
        name: What to call a task in an error.

    Raises:
        InvalidGraph: The tasks depend on each other in a cycle.
    """
    state = bytearray(len(dependencies))
    order: list[int] = []
    for root in roots:
        if state[root] == _DONE:
            continue
        if not dependencies[root]:
            state[root] = _DONE
            order.append(root)
            continue
        stack = [root]
        while stack:
            task = stack[-1]
            seen = state[task]
            if seen == _UNSEEN:
                state[task] = _OPEN
                waiting = [d for d in dependencies[task] if state[d] != _DONE]
                if waiting:
                    for dependency in waiting:
                        if state[dependency] == _OPEN:
                            raise _cycle(stack, state, dependency, name)
                    waiting.reverse()
                    stack += waiting
                    continue
            stack.pop()
            if seen != _DONE:
                state[task] = _DONE
                order.append(task)
    return order


def _cycle(stack: list[int], state: bytearray, entry: int, name: Callable[[int], object]) -> InvalidGraph:
    # The open tasks of the stack are the path to its top. One that was also pushed earlier as somebody's sibling is
    # open too, lower down, but its last place in the stack is its place on the path.
    path: dict[int, None] = {}
    for task in reversed(stack):
        if state[task] == _OPEN:
            path.setdefault(task)
        if task == entry:
            break
    return cycle_error([name(task) for task in reversed(path)])


def cycle_error(path: Sequence[object]) -> InvalidGraph:
    """The error for tasks that depend on each other in a circle; long circles are shortened."""
    names = [repr(key) for key in (*path, path[0])]
    if len(names) > 8:
        names = [*names[:4], f"... {len(names) - 7} more ...", *names[-3:]]
    return InvalidGraph(f"the graph has a cycle, so none of these tasks can ever run: {' needs '.join(names)}")
