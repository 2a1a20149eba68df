"""Every fault in the middle of every workload, five times: the result is right, and nothing is left of the job.

`make soak` plays more of the same rounds, and any of them again.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.soak.round import Round, Stage, rounds

ROUNDS = 5

SEED = int(os.environ.get("WUKONG_TEST_SEED") or random.randrange(2**32))


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage(Path("build/soak")) as stage:
        yield stage


@pytest.mark.timeout(600)
@pytest.mark.parametrize("round_", rounds(SEED, ROUNDS), ids=str)
def test_a_fault_in_the_middle_of_a_job(stage: Stage, round_: Round) -> None:
    print(round_.replay)
    stage.play(round_)
