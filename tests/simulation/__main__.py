"""Simulates: one seed with its trace, or many with a closing line. `python -m tests.simulation --help`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from multiprocessing import Pool

from tests.simulation.mutations import MUTATIONS, catch, run_broken
from tests.simulation.story import replay, tell
from tests.simulation.world import Outcome, simulate

from wukong.engine.policy.named import ABLATIONS
from wukong.testing.simulation.plan import POLICIES


def main(arguments: Sequence[str]) -> int:
    """Run what the command line says; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", nargs="?", type=int, help="replay this seed, with its trace")
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds to run (default %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default %(default)s)")
    parser.add_argument("--tasks", type=int, help="tasks of every graph, instead of 3 to 300")
    parser.add_argument("--faults", help="the faults to have, with commas between; 'none' for none")
    policies = [*POLICIES, *ABLATIONS]
    parser.add_argument("--policy", choices=policies, help="the policy of all jobs, instead of one for each seed")
    parser.add_argument("--full", action="store_true", help="show the whole trace")
    parser.add_argument("--mutations", action="store_true", help="break the system on purpose; each has to be caught")
    parser.add_argument("--mutation", choices=MUTATIONS, help="replay the seed with the system broken in this way")
    parser.add_argument("--processes", type=int, default=2, help="at once (default %(default)s)")
    options = parser.parse_args(arguments)
    if options.mutations:
        return mutate(options.seeds)
    faults = (
        None if options.faults is None else [name for name in options.faults.split(",") if name not in ("", "none")]
    )
    again = "".join(
        f" --{name} {value}"
        for name, value in (("tasks", options.tasks), ("faults", options.faults), ("policy", options.policy))
        if value is not None
    )
    if options.seed is not None and options.mutation is not None:
        outcome = run_broken(options.mutation, options.seed, tracing=True)
        print(tell(outcome, options.full, f" --mutation '{options.mutation}'"))
        return 1 if outcome.broken else 0
    if options.seed is not None:
        outcome = simulate(options.seed, options.tasks, faults, options.policy, tracing=True)
        print(tell(outcome, options.full, again))
        return 1 if outcome.broken else 0
    run = partial(simulate, tasks=options.tasks, faults=faults, policy=options.policy)
    return run_all(range(options.first, options.first + options.seeds), run, options.processes, again)


def run_all(seeds: range, run: partial[Outcome], processes: int, again: str) -> int:
    """Run many seeds; returns the exit status."""
    started = time.perf_counter()
    failed = 0
    happened: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    with Pool(processes) as pool:
        for outcome in pool.imap(run, seeds, chunksize=20):
            happened.update(outcome.happened)
            ends.update(outcome.ends)
            if outcome.broken:
                failed += 1
                print(f"{outcome.plan}\n  broken: {outcome.broken}\n  replay: {replay(outcome, again)}", flush=True)
    seconds = time.perf_counter() - started
    print(f"faults: {_counted(happened)}")
    print(f"jobs: {_counted(ends)}")
    print(f"{60 * len(seeds) / seconds:,.0f} seeds a minute")
    print(f"{len(seeds) - failed} passed, {failed} failed")
    return 1 if failed else 0


def mutate(seeds: int) -> int:
    """Break the system in every way; returns the exit status."""
    missed = 0
    for name in MUTATIONS:
        outcome = catch(name, range(seeds))
        missed += outcome is None
        found = f"seed {outcome.plan.seed}: {outcome.broken.strip().splitlines()[-1]}" if outcome else "NOT CAUGHT"
        print(f"{name}: {found}", flush=True)
    print(f"{len(MUTATIONS) - missed} caught, {missed} missed")
    return 1 if missed else 0


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
