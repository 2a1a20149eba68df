"""Reports as objects, text, HTML and JSON."""

from __future__ import annotations

import json
from dataclasses import fields

from wukong.client.report import Report, TaskTime, TimeSpent
from wukong.mds.counters import NAMES
from wukong.mds.phase import Phase
from wukong.rpc.v1 import job_pb2

MESSAGE = job_pb2.Report(
    wall_seconds=2.5,
    tasks=1000,
    tasks_run=1003,
    executors=4,
    cold_starts=2,
    invocations=5,
    round_trips=1234,
    bytes_read=5_600_000,
    bytes_written=700_000,
    peak_memory=312_000_000,
    peak_stored=45_230_000,
    gb_seconds=16.0,
    cost_usd=0.000267667,
    slowest=[
        job_pb2.TaskTime(task=9, key="('x', 9)", seconds=0.75),
        job_pb2.TaskTime(task=3, key="<b>", seconds=0.5),
    ],
    time=job_pb2.TimeSpent(starting=0.5, running=6.0, reading=0.25, writing=0.5, reporting=0.5, waiting=0.25),
)
REPORT = Report.of(job_pb2.Job(report=MESSAGE))


def test_it_has_what_the_cluster_says() -> None:
    assert (REPORT.wall, REPORT.tasks, REPORT.tasks_run, REPORT.tasks_run_again) == (2.5, 1000, 1003, 3)
    assert (REPORT.executors, REPORT.cold_starts, REPORT.invocations) == (4, 2, 5)
    assert (REPORT.round_trips, REPORT.bytes_read, REPORT.bytes_written) == (1234, 5_600_000, 700_000)
    assert (REPORT.peak_memory, REPORT.gb_seconds, REPORT.cost_usd) == (312_000_000, 16.0, 0.000267667)
    assert REPORT.peak_stored == 45_230_000
    assert REPORT.time == TimeSpent(0.5, 6.0, 0.25, 0.5, 0.5, 0.25)
    assert REPORT.time.total == 8.0
    assert REPORT.slowest == (TaskTime("('x', 9)", 0.75), TaskTime("<b>", 0.5))
    assert hash(REPORT) == hash(Report.of(job_pb2.Job(report=MESSAGE)))


def test_the_text_says_it_all() -> None:
    assert str(REPORT) == (
        "1,003 runs of 1,000 tasks (3 of them again) in 2.500 s by 4 executors (2 cold, 5 invocations)\n"
        "  time     8.000 s of executors\n"
        "           6.2% starting, 75.0% running, 3.1% reading, 6.2% writing, 6.2% reporting, 3.1% waiting\n"
        "  stores   1,234 round trips, 5.6 MB read, 0.7 MB written\n"
        "  memory   at most 312 MB in one executor, and 45.2 MB of values in the KVS\n"
        "  cost     $0.000268 for 16.000 GB-seconds and 5 requests\n"
        "           (at AWS prices of executors alone; on your own machine nothing is charged)\n"
        "  slowest  0.750 s  ('x', 9)\n"
        "           0.500 s  <b>"
    )


def test_the_text_tells_of_lost_values() -> None:
    report = Report.of(job_pb2.Job(report=job_pb2.Report(tasks=10, tasks_run=15, healed=4)))
    assert str(report).startswith("15 runs of 10 tasks (5 of them again, 4 for lost values) in ")


def test_a_job_that_did_nothing_yet_has_a_report_too() -> None:
    text = str(Report.of(job_pb2.Job(report=job_pb2.Report(tasks=1))))
    assert text.startswith("0 runs of 1 task in 0.000 s by 0 executors")
    assert "slowest" not in text
    assert "%" not in text


def test_a_notebook_shows_a_table() -> None:
    found = REPORT._repr_html_()
    assert found.startswith("<table>")
    assert found.count("<tr") == found.count("</tr>") == 6
    assert "&lt;b&gt;" in found
    assert "<b>" not in found


def test_the_dict_is_ready_for_json() -> None:
    found = REPORT.to_dict()
    assert json.loads(json.dumps(found)) == found
    assert list(found) == [field.name for field in fields(Report)]
    assert found["slowest"] == [{"task": "('x', 9)", "seconds": 0.75}, {"task": "<b>", "seconds": 0.5}]
    assert found["time"]["running"] == 6.0


def test_every_counter_and_every_phase_reaches_the_user() -> None:
    shown = {field.name for field in fields(Report)}
    assert set(NAMES) - shown == {"mb_ms", *(phase.value for phase in Phase)}
    assert {phase.name.lower() for phase in Phase} == {field.name for field in fields(TimeSpent)}
    assert {field.name for field in fields(TimeSpent)} == set(job_pb2.TimeSpent.DESCRIPTOR.fields_by_name)
