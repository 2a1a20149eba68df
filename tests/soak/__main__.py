"""Plays rounds on real processes: `python -m tests.soak --rounds 50 --seed 7`, or one of them: `--only kill/tree/3`."""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from tests.soak.round import Round, Stage, rounds


def main(arguments: Sequence[str]) -> int:
    """Run what the command line says; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50, help="of each fault and workload (default %(default)s)")
    parser.add_argument("--seed", type=int, help="by default another one each time")
    parser.add_argument("--only", default="", help="a fault, fault/workload, or fault/workload/round")
    parser.add_argument("--logs", type=Path, default=Path("build/soak"), help="where logs go (default %(default)s)")
    options = parser.parse_args(arguments)
    seed = random.randrange(2**32) if options.seed is None else options.seed
    number = options.only.partition("/")[2].partition("/")[2]
    chosen = rounds(seed, int(number) + 1 if number else options.rounds, options.only)
    if not chosen:
        parser.error(f"there is no round {options.only!r}")
    print(f"seed {seed}", flush=True)
    return play(chosen, options.logs)


def play(chosen: Sequence[Round], logs: Path) -> int:
    """Play rounds and say how each went, then how many passed; returns the exit status."""
    failed = 0
    with Stage(logs) as stage:
        for round_ in chosen:
            began = time.monotonic()
            try:
                draws = stage.play(round_)
            except Exception:
                failed += 1
                print(f"{round_}: FAILED\n{traceback.format_exc()}", flush=True)
            else:
                again = f", drawn {draws} times" if draws > 1 else ""
                print(f"{round_}: {time.monotonic() - began:.1f} s{again}", flush=True)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
