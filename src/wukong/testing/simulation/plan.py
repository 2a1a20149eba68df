"""What one seed stands for: graphs, a cluster, a policy, latencies, and the faults that are to happen."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass

from wukong.engine.policy.named import ABLATIONS
from wukong.testing.graphs import SHAPES
from wukong.testing.simulation.graph import Graph

#: The faults that the cluster survives, and what each one is.
FAULTS = {
    "crash": "an executor dies at any point: in a task, before or after a message takes effect",
    "pause": "an executor stops for up to three leases and goes on as if nothing had happened",
    "duplicate": "an invocation is delivered twice, the second time up to a hundred seconds later",
    "drop": "an invocation is never delivered",
    "late": "an invocation is delivered seconds later",
    "throttle": "the Invoke API refuses a request",
    "break": "a connection to the metadata store breaks, an executor's or the scheduler's; "
    "nobody knows whether the message took effect",
    "repeat": "a message to the metadata store takes effect twice; the second answer counts",
    "hand-over": "an executor's time is nearly over, before or in any task but its first",
    "restart": "the scheduler dies, with all that it had under way, and starts again",
    "long-write": "from some moment on each write of an executor to the KVS takes up to half a lease",
    "hold-lock": "a task holds the interpreter lock for two leases",
    "node-loss": "a KVS node vanishes with its data, and an empty one takes its place",
    "forget": "the metadata store ends, is away for a while, and starts again without its last second",
    "cancel": "the client cancels its job",
    "raise": "a task raises",
    "budget": "the job may cost no more than a few invocations",
}

#: Seconds of work in one graph, on average.
WORK = (0.05, 1.0, 5.0, 10.0)

#: Policies that spread work at once, by their names in the system.
AT_ONCE = ("wukong2020", "stateless")

#: All policies; two for the beat go to extremes: all that there is room for, and nothing.
POLICIES = ("heartbeat", "eager", "never", *AT_ONCE)

#: How often a policy lacks one of its mechanisms, where it has some.
ABLATED = 0.15

#: The room of a job whose executors nobody bounds.
UNBOUNDED = 10_000


@dataclass(frozen=True)
class Plan:
    """One run. Times are seconds.

    Attributes:
        seed: Everything is drawn from it.
        graphs: One for each job; the jobs run at once.
        groups: Most first executors of each job.
        parallelism: Most records of one job that live at once.
        environments: Most executions at once, of all jobs.
        nodes: KVS nodes.
        policy: One of `POLICIES`, or of `wukong.engine.policy.named.ABLATIONS`.
        beat: Between two beats.
        lease: An executor's.
        latency: Mean time that a message takes, one way.
        start: Mean time that an execution takes to start.
        narrow: Limits of batches are so small that small graphs reach them.
        faults: Fault -> how likely it is at each occasion.
        budget: How often each fault happens at most.
        deaths: How many holders a task, or a record before it runs one, may end; five in reality, more to see more.
        large_bytes: From how many bytes on a value is large.
        invocations: How many a job with a budget may cost.
        trusted: Holders of a record that work as ever; two in reality. Those after them are careful.
        told: The platform tells the scheduler of invocations that came to nothing.
    """

    seed: int
    graphs: tuple[Graph, ...]
    groups: int
    parallelism: int
    environments: int
    nodes: int
    policy: str
    beat: float
    lease: float
    latency: float
    start: float
    narrow: bool
    faults: dict[str, float]
    budget: int
    deaths: int
    large_bytes: int
    told: bool
    trusted: int
    invocations: int

    def __str__(self) -> str:
        shapes = ", ".join(f"{len(graph.deps)} tasks" for graph in self.graphs)
        faults = ", ".join(self.faults) or "none"
        return (
            f"seed {self.seed}: {shapes}; policy {self.policy}, {self.groups} groups, parallelism {self.parallelism}, "
            f"{self.environments} environments, {self.nodes} nodes, beat {self.beat:g} s, lease {self.lease:g} s, "
            f"latency {self.latency:g} s{', narrow limits' if self.narrow else ''}"
            f"{', told of lost invocations' if self.told else ''}; faults: {faults}"
        )


def draw(seed: int, tasks: int | None = None, faults: Collection[str] | None = None, policy: str | None = None) -> Plan:
    """The plan of a seed.

    Args:
        seed: Everything is drawn from it.
        tasks: The size of the graphs; None draws 3 to 300, small ones more often.
        faults: The faults to have, instead of some of `FAULTS`.
        policy: The policy to have, instead of one of `POLICIES`.

    Raises:
        ValueError: There is no such fault.
    """
    rng = random.Random(f"plan-{seed}")
    beat = 0.2
    for unknown in set(faults or ()) - FAULTS.keys():
        raise ValueError(f"there is no fault {unknown!r}; there are {', '.join(FAULTS)}")
    drawn = _some(rng, [*FAULTS]) if faults is None else sorted(faults)
    sizes = rng.choice(["small", "large", "mixed", "mixed"])
    counts = [tasks or round(3 * 100 ** rng.random()) for _ in range(rng.choice([1, 1, 2]))]
    graphs = tuple(
        Graph(
            f"{seed}-{number}",
            rng.choice([*SHAPES]),
            count,
            rng.choice([3, 17, 1000]),
            rng.choice(WORK) / count,
            sizes,
        )
        for number, count in enumerate(counts)
    )
    policy = policy or _ablated(seed, rng.choice([*POLICIES, "eager"]))
    return Plan(
        seed=seed,
        graphs=graphs,
        groups=rng.choice([1, 2, 5]),
        parallelism=rng.choice([1, 3, 16, UNBOUNDED if policy.startswith(AT_ONCE) else 16]),
        environments=rng.choice([1, 3, 50, 50]),
        nodes=rng.choice([1, 3]),
        policy=policy,
        beat=beat,
        lease=rng.choice([4, 10]) * beat,
        latency=rng.choice([0.0001, 0.001, 0.01]),
        start=rng.choice([0.01, 0.2]),
        narrow=rng.random() < 0.5,
        faults={fault: rng.choice([0.005, 0.03, 0.1]) for fault in drawn},
        budget=rng.choice([1, 2, 6]),
        deaths=rng.choice([3, 20]),
        large_bytes=rng.choice([2_000, 100_000]),
        told=rng.random() < 0.5,
        trusted=rng.choice([1, 1, 2]),
        invocations=rng.randint(1, 20),
    )


def _ablated(seed: int, policy: str) -> str:
    """The policy, now and then without a mechanism; drawn apart, so that all else of a seed stays as it was."""
    rng = random.Random(f"ablation-{seed}")
    lacking = [ablation for ablation in ABLATIONS if ablation.startswith(f"{policy} ")]
    return rng.choice(lacking) if lacking and rng.random() < ABLATED else policy


def _some(rng: random.Random, faults: list[str]) -> list[str]:
    kind = rng.random()
    if kind < 0.2:
        return []
    if kind < 0.7:
        return rng.sample(faults, rng.choice([1, 1, 2, 3]))
    return [fault for fault in faults if fault not in ("budget", "cancel", "raise")]
