"""`wukong submit`: runs a graph of calls from a file."""

from __future__ import annotations

import argparse
import secrets
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from wukong.cli import job as shown
from wukong.cli.commands import Commands
from wukong.cli.connect import connect
from wukong.cli.exits import Exit, UsageError
from wukong.cli.graph_file import parse
from wukong.cli.interrupts import leave, on_interrupt
from wukong.cli.output import complain, say_json
from wukong.client import interrupted, results, watching
from wukong.client.connection import Connection
from wukong.client.display import display
from wukong.client.submission import SECONDS
from wukong.rpc.v1 import job_pb2, scheduler_pb2


def add(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the command."""
    command = commands.add_parser(
        "submit",
        parents=[shared],
        help="run a graph of calls and print its results",
        description='Runs the calls of a JSON file, {"tasks": [{"id": "a", "call": {"function": "operator:add", '
        '"args": [1, 2]}}], "targets": ["a"]}, waits, and prints the values of the targets as one JSON object; with '
        "--json, the whole job. Ctrl-C cancels the job.",
    )
    command.add_argument("graph", metavar="GRAPH", help="the file, or - for standard input")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Submit, wait, print."""
    request = parse(_read(arguments.graph))
    request.job_id = request.job_id or secrets.token_hex(8)
    with connect(arguments) as connection:
        submission = _Submission(connection, request.job_id)
        with on_interrupt(submission.interrupt):
            job = submission.run(request)
        if submission.interrupted:
            complain("interrupted")
            return Exit.INTERRUPTED
        done = job.state == job_pb2.JOB_STATE_DONE
        values = _values(connection, job) if done else {}
    if arguments.json:
        say_json(shown.as_dict(job, values))
    elif done:
        say_json(values)
    if not done:
        complain(shown.explain(job))
    return Exit.OK if done else Exit.FAILED


class _Submission:
    """A job from its submission to its end. The first Ctrl-C cancels it, the second one leaves at once.

    Attributes:
        interrupted: Whether there was a Ctrl-C.
    """

    def __init__(self, connection: Connection, job_id: str) -> None:
        self.interrupted = False
        self._connection = connection
        self._job_id = job_id
        self._submitted = False

    def run(self, request: scheduler_pb2.SubmitJobRequest) -> job_pb2.Job:
        """The job after its end."""
        connection = self._connection
        answer = connection.call(connection.scheduler.SubmitJob, request, SECONDS)
        self._submitted = True
        if answer.state == job_pb2.JOB_STATE_GONE:
            raise UsageError(
                f"a job {self._job_id!r} was released before, and ids are not used twice; choose another job_id, or "
                "leave it away"
            )
        for warning in answer.warnings:
            complain(f"warning: {warning}")
        complain(f"job {self._job_id}")
        if self.interrupted:
            self._cancel()
        with display(None) as progress:
            for event in watching.watch(connection, self._job_id):
                progress.see(event)
                job = event.state.job
        return job

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Cancel the job, in another thread: this one may be in a call. What waits for the job goes on."""
        if self.interrupted:
            leave(number, frame)
        self.interrupted = True
        if self._submitted:
            threading.Thread(target=self._cancel, daemon=True).start()

    def _cancel(self) -> None:
        interrupted.cancel(self._connection, self._job_id)


def _read(path: str) -> str:
    try:
        content = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return content.decode("utf-8-sig")  # editors on Windows mark the encoding
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not text in UTF-8") from None


def _values(connection: Connection, job: job_pb2.Job) -> dict[str, Any]:
    """The values of the targets, in the order asked; very large ones do not come with the job and are fetched."""
    values = shown.json_results(job)
    absent = [result for result in job.results if result.target not in values]
    fetched = results.read(job.job_id, absent, connection, None) if absent else results.Read({})
    for error in fetched.missing:
        raise error
    values.update((result.target, fetched.values[result.task]) for result in absent)
    return {result.target: values[result.target] for result in job.results}
