"""`wukong jobs`, `job`, `report`, `cancel`: what became of jobs, and how to end one."""

from __future__ import annotations

import argparse

from wukong.cli import job as shown
from wukong.cli.commands import Commands
from wukong.cli.connect import connect
from wukong.cli.exits import Exit
from wukong.cli.output import say, say_json, table
from wukong.client.events import state_name
from wukong.client.report import Report
from wukong.rpc.v1 import job_pb2, scheduler_pb2


def add(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the commands."""
    listing = commands.add_parser("jobs", parents=[shared], help="list the jobs that the cluster knows, newest first")
    listing.set_defaults(run=run_jobs)
    for name, run, tells in (
        ("job", run_job, "tell the state of a job, and why it failed"),
        ("report", run_report, "tell what a job did and moved"),
        ("cancel", run_cancel, "stop a job"),
    ):
        command = commands.add_parser(name, parents=[shared], help=tells)
        command.add_argument("id", metavar="ID", help="the job's id")
        command.set_defaults(run=run)
    command.add_argument("--reason", default="cancelled with `wukong cancel`", help="what the job's error will say")


def run_jobs(arguments: argparse.Namespace) -> int:
    """List the jobs."""
    with connect(arguments) as connection:
        jobs = connection.call(connection.scheduler.ListJobs, scheduler_pb2.ListJobsRequest()).jobs
    if arguments.json:
        say_json([shown.as_dict(job) for job in jobs])
    elif jobs:
        say(table(("ID", "STATE", "TASKS", "EXECUTORS", "SECONDS", "SUBMITTED"), [shown.row(job) for job in jobs]))
    else:
        say("The cluster knows no jobs.")
    return Exit.OK


def run_job(arguments: argparse.Namespace) -> int:
    """Tell about one job."""
    job = _job(arguments)
    if arguments.json:
        say_json(shown.as_dict(job, shown.json_results(job)))
        return Exit.OK
    say(table(("ID", "STATE", "TASKS", "EXECUTORS", "SECONDS", "SUBMITTED"), [shown.row(job)]))
    if job.HasField("error"):
        say(f"\n{shown.explain(job)}")
        if job.error.HasField("task"):
            say(f"\n{job.error.task.remote_traceback.rstrip()}")
    return Exit.OK


def run_report(arguments: argparse.Namespace) -> int:
    """Tell what one job did."""
    report = Report.of(_job(arguments))
    if arguments.json:
        say_json(report.to_dict())
    else:
        say(str(report))
    return Exit.OK


def run_cancel(arguments: argparse.Namespace) -> int:
    """Stop one job."""
    with connect(arguments) as connection:
        request = scheduler_pb2.CancelJobRequest(job_id=arguments.id, reason=arguments.reason)
        job = connection.call(connection.scheduler.CancelJob, request)
    state = state_name(job.state)
    if arguments.json:
        say_json({"id": job.job_id, "state": state})
    else:
        say(f"job {job.job_id}: {state}" + ("" if state == "cancelled" else ", it had ended before"))
    return Exit.OK


def _job(arguments: argparse.Namespace) -> job_pb2.Job:
    with connect(arguments) as connection:
        return connection.call(connection.scheduler.GetJob, job_pb2.JobRef(job_id=arguments.id))
