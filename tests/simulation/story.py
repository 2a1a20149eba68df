"""Tells what happened in a run, short enough to be read."""

from __future__ import annotations

from collections.abc import Sequence

from tests.simulation.world import Outcome

#: Lines of a trace that are shown from its end.
SHOWN = 60

#: Tasks of a graph that is shown.
SMALL = 40


def replay(outcome: Outcome, options: str = "") -> str:
    """The command that runs a seed again."""
    if not options:
        return f"make simulation SEED={outcome.plan.seed}"
    return f"python -m tests.simulation {outcome.plan.seed}{options}"


def tell(outcome: Outcome, full: bool = False, options: str = "") -> str:
    """The plan, the faults and the end of the trace (all of it if `full`), what was broken, and how to see it again."""
    lines = [str(outcome.plan)]
    for number, graph in enumerate(outcome.plan.graphs):
        if len(graph.deps) <= SMALL:
            edges = ", ".join(f"{task}<-{needs}" if needs else f"{task}" for task, needs in enumerate(graph.deps))
            lines.append(f"job{number}: {edges}; sinks {graph.sinks}, uploaded {[*graph.inputs]}")
    lines += outcome.trace if full else _shortened(outcome.trace)
    if outcome.broken:
        lines += [f"broken: {outcome.broken}", f"replay: {replay(outcome, options)}"]
    else:
        lines.append("every promise is kept")
    return "\n".join(lines)


def _shortened(trace: Sequence[str]) -> Sequence[str]:
    if len(trace) <= SHOWN:
        return trace
    early = [line for line in trace[:-SHOWN] if " ! " in line]
    return [*early, f"... {len(trace) - SHOWN - len(early)} lines are left out ...", *trace[-SHOWN:]]
