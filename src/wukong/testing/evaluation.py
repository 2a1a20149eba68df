"""Runs a graph right here, through everything of `wukong.graph` that a cluster uses: the reference for other tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from wukong.graph.convert import convert
from wukong.graph.dag import Dag, Program
from wukong.graph.page import Page, build_pages
from wukong.graph.payload import cut, load
from wukong.graph.program import run


def evaluate(dsk: Any, keys: Any, **_: Any) -> Any:
    """The values of keys, nested in tuples as the keys are in lists. It can be Dask's `scheduler=`."""
    dag = convert(dsk, keys)
    values = evaluate_dag(dag)
    return _nested(keys, {key: values[task] for key, task in dag.index.items()})


def evaluate_dag(dag: Dag) -> dict[int, Any]:
    """The values of the targets of a graph, by task, computed in order from its pages."""
    payloads = cut(dag)
    bodies = build_pages(
        dag.dep_offsets,
        dag.deps,
        dag.targets,
        [payload.first for payload in payloads],
        [payload.data for payload in payloads],
        dict.fromkeys(dag.inputs, b""),
    )
    uses = np.bincount(dag.deps, minlength=len(dag)) + np.isin(np.arange(len(dag)), dag.targets)
    values: dict[int, Any] = dict(dag.inputs)
    for page in map(Page.decode, bodies):
        programs = load(page.payload).programs
        for task, program in enumerate(programs, page.first):
            _step(task, program, page, values)
            for needed in page.deps(task):
                uses[needed] -= 1
                if not uses[needed]:
                    del values[needed]
    return values


def _step(task: int, program: Program | None, page: Page, values: dict[int, Any]) -> None:
    if program is not None:
        values[task] = run(program, [values[needed] for needed in page.deps(task)])
    elif task not in page.inputs:
        raise AssertionError(f"task {task} has neither a program nor an uploaded value")


def _nested(keys: Any, values: dict[Any, Any]) -> Any:
    if isinstance(keys, list):
        return tuple(_nested(key, values) for key in keys)
    return values[keys]
