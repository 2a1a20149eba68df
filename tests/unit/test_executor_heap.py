"""Each in an interpreter of its own: what malloc keeps is the whole process's."""

from __future__ import annotations

import subprocess
import sys

import pytest

from wukong_executor.heap import _glibc

pytestmark = pytest.mark.skipif(_glibc() is None, reason="other allocators are left as they are")

#: `rounds` of arrays of 8 MB that live at the same time, and then do not; returns the page faults that it took.
PROGRAM = """
import resource
import numpy as np
from wukong_executor.heap import Heap
from wukong_executor.resident import resident_bytes

def faults(rounds=20, arrays=16):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(rounds):
        held = [np.ones(1_000_000) for _ in range(arrays)]
        del held
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

"""


def run(program: str) -> list[int]:
    done = subprocess.run([sys.executable, "-c", PROGRAM + program], capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]


def test_what_is_freed_is_used_again() -> None:
    """128 MB, twenty times: without a heap that keeps it all of them are new, in pages of 4 KB or of 2 MB."""
    new, kept = run(
        """
new = faults()
Heap().keep(1 << 30)
faults(1)
print(new, faults())
"""
    )
    assert new > 20 * 128 // 2
    assert kept < new // 20


def test_no_more_than_a_quarter_of_the_limit_is_kept() -> None:
    (left,) = run(
        """
Heap().keep(1 << 28)
before = resident_bytes()
faults(1)
print(resident_bytes() - before)
"""
    )
    assert left < (1 << 26) + 1_000_000


def test_where_memory_fills_up_all_that_is_free_goes_back() -> None:
    before, held, after, later = run(
        """
heap = Heap()
heap.keep(1 << 28)
print(resident_bytes())
held = [np.ones(1_000_000) for _ in range(20)]
held = held[-1:]  # at the heap's end: nothing could go back by itself
print(resident_bytes())
heap.watch()
print(resident_bytes())
more = [np.ones(1_000_000) for _ in range(20)]
more = more[-1:]
heap.watch()
print(resident_bytes())
"""
    )
    assert held - before > 150_000_000
    assert after - before < 20_000_000
    assert later - before < 40_000_000


def test_an_idle_environment_gives_it_back_and_one_that_works_again_does_not() -> None:
    before, working, rested = run(
        """
heap = Heap(idle_seconds=0.01)
heap.keep(1 << 30)
print(resident_bytes())
faults(1)
heap.rest()
idle = heap._idle
heap.keep(1 << 30)
idle.join()
faults(1)
print(resident_bytes())
heap.rest()
heap._idle.join()
print(resident_bytes())
"""
    )
    assert working - before > 100_000_000
    assert rested - before < 20_000_000


def test_small_jobs_start_no_thread() -> None:
    run(
        """
import threading
heap = Heap()
heap.keep(1 << 30)
heap.rest()
assert threading.active_count() == 1
"""
    )


def test_an_executor_after_some_that_died_keeps_nothing() -> None:
    before, after = run(
        """
heap = Heap()
heap.keep(1 << 30)
print(resident_bytes())
faults(1)
heap.rest()
heap.keep(0)
faults(1)
print(resident_bytes())
"""
    )
    assert after - before < 20_000_000


def test_what_an_earlier_executor_left_is_not_the_next_ones_peak() -> None:
    before, idle, used, more = run(
        """
from wukong_executor.resident import Resident
heap = Heap()
heap.keep(1 << 30)
print(resident_bytes())
faults(1)
resident = Resident(heap.free)
print(resident.look()[1])
held = [np.ones(1_000_000) for _ in range(8)]
print(resident.look()[1])
held += [np.ones(1_000_000) for _ in range(24)]
del held
print(resident.look()[1])
"""
    )
    assert idle - before < 10_000_000
    assert 60_000_000 < used - before < 80_000_000
    assert more - before > 250_000_000
