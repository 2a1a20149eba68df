"""`wukong demo`: a short job that checks itself."""

from __future__ import annotations

import argparse
import contextlib
import time

import wukong
from wukong.cli.commands import Commands
from wukong.cli.connect import PATIENCE, where
from wukong.cli.exits import Exit
from wukong.cli.output import complain, say, say_json

_ROWS, _COLUMNS, _BLOCK = 65_536, 32, 4_096


def add(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the command."""
    command = commands.add_parser(
        "demo",
        parents=[shared],
        help="run a short job and check its result",
        description="Runs a QR decomposition on an embedded cluster of its own, or on that of --address, and compares "
        "the result with Dask's.",
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the job; fails where its result is not Dask's."""
    # Half a second to import, which other commands need not wait for.
    import dask.array as da
    import numpy as np

    x = da.random.default_rng(2020).random((_ROWS, _COLUMNS), chunks=(_BLOCK, _COLUMNS))
    _, r = da.linalg.tsqr(x)
    with contextlib.ExitStack() as stack:
        if arguments.address or arguments.terraform:
            there = where(arguments)
            client = wukong.Client(there.url, token=there.token, timeout=PATIENCE, **there.files)
        else:
            begun = time.monotonic()
            client = wukong.Client(stack.enter_context(wukong.LocalCluster()))
            if not arguments.json:
                say(f"An embedded cluster is up after {time.monotonic() - begun:.1f} s.")
        stack.enter_context(contextlib.closing(client))
        found = r.compute(scheduler=client.get)
        report = client.report()
    equal = bool(np.allclose(found, r.compute(scheduler="synchronous")))
    if arguments.json:
        say_json({"equal": equal, "report": report.to_dict()})
    else:
        say(f"QR of a matrix of {_ROWS:,} × {_COLUMNS} in {x.npartitions} blocks:\n{report}")
        if equal:
            say("The result equals Dask's own.")
    if not equal:
        complain("the result differs from Dask's own: this is a bug of Wukong; please report it")
    return Exit.OK if equal else Exit.FAILED
