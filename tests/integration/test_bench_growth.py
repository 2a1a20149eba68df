"""The benchmarks of growth and start, at sizes that take no time: what they run, and that they measure all of it."""

from __future__ import annotations

import time

import pytest
from benchmarks import growth, processes, start
from benchmarks.crowd import crowd
from benchmarks.environment_start import environment_starts
from benchmarks.meter import Meter
from benchmarks.shape import MAP

import wukong


def test_every_size_of_a_shape_is_measured_on_all_processes() -> None:
    small, large = growth.grow(MAP, [10, 10_000], sample=20)
    assert (small.shape, small.tasks, large.tasks) == ("map", 10, 10_000)
    assert set(large.us) == set(large.nbytes) == set(processes.GROUPS)
    assert min(large.us["client"], large.us["executors"]) > 0
    assert large.peak > sum(size * large.tasks for size in large.nbytes.values()) > 0


def test_a_wrong_result_ends_the_benchmark() -> None:
    growth.check_value("map of 2", MAP.value(2), (1, 2))
    with pytest.raises(SystemExit, match="map of 3: the result is wrong"):
        growth.check_value("map of 3", MAP.value(3), (1, 2, 4))


def test_the_meter_counts_what_a_block_uses(cluster: wukong.LocalCluster) -> None:
    meter = Meter(cluster)
    with meter.measured() as sample:
        block = b"x" * 50_000_000
        for _ in range(20):
            assert hash(block[1:])
    assert sample.nbytes["client"] >= 50_000_000
    assert sample.peak >= 50_000_000
    assert 0 < sample.seconds["client"] <= time.process_time()


def test_one_task_jobs_and_a_crowd_of_clients_are_timed(cluster: wukong.LocalCluster, client: wukong.Client) -> None:
    assert len(growth.latencies(client, 3)) == 3
    at_once = crowd(cluster, clients=2, jobs=2)
    assert at_once.tasks == 255
    assert len(at_once.taken) == 4
    assert max(at_once.taken) <= at_once.wall


def test_the_steps_of_a_start_are_timed() -> None:
    assert len(start.import_seconds("import wukong", 1)) == 1
    taken = start.cluster_seconds(1)
    assert all(len(seconds) == 1 for seconds in taken.values())
    assert taken[start.READY][0] < taken[start.FIRST_JOB][0]
    assert environment_starts(1)[0] > 0
