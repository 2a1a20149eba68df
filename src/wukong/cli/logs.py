"""`wukong logs`: what the tasks of a job printed."""

from __future__ import annotations

import argparse

from wukong.cli.commands import Commands
from wukong.cli.connect import connect
from wukong.cli.exits import Exit
from wukong.cli.output import say, say_json
from wukong.client import watching
from wukong.rpc.v1 import event_pb2

_STREAMS = {event_pb2.LOG_STREAM_STDOUT: "stdout", event_pb2.LOG_STREAM_STDERR: "stderr"}


def add(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the command."""
    command = commands.add_parser(
        "logs",
        parents=[shared],
        help="print what the tasks of a job printed",
        description="Prints each line that a task printed after the task's name. With --json, one object per piece: "
        "task, stream, text.",
    )
    command.add_argument("id", metavar="ID", help="the job's id")
    command.add_argument("-f", "--follow", action="store_true", help="go on until the job has ended")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what was printed so far, or until the job has ended."""
    with connect(arguments) as connection:
        for event in watching.watch(connection, arguments.id):
            if event.HasField("log"):
                _show(event.log, arguments.json)
            elif event.HasField("progress") and not arguments.follow:
                # Progress tells the present state: all that was printed before has been told.
                break
    return Exit.OK


def _show(log: event_pb2.LogLines, json: bool) -> None:
    if json:
        say_json({"task": log.key, "stream": _STREAMS[log.stream], "text": log.text}, line=True)
    else:
        say(watching.marked(log.text, log.key).removesuffix("\n"))
