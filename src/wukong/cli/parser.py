"""The command line: commands, options, help."""

from __future__ import annotations

import argparse
import importlib.metadata
from typing import NoReturn

from wukong.cli import cluster, demo, doctor, image, jobs, logs, submit, up
from wukong.cli.exits import Exit, UsageError


class _Parser(argparse.ArgumentParser):
    """Tells what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (`{self.prog} --help` tells more)")


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command. Each command sets `run`, a function of the parsed arguments."""
    top = _Parser(
        prog="wukong",
        description="Runs Dask graphs on AWS Lambda, with no coordinator in the middle.",
        epilog="exit codes:\n" + "\n".join(f"  {code:3}  {code.meaning}" for code in Exit),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"Wukong {importlib.metadata.version('wukong')}")
    shared = _Parser(add_help=False)
    shared.add_argument("--json", action="store_true", help="print JSON, for programs")
    shared.add_argument("--address", metavar="HOST:PORT", help="the cluster's scheduler (default: WUKONG_ADDRESS)")
    shared.add_argument("--token", help="the cluster's token (default: WUKONG_TOKEN)")
    shared.add_argument(
        "--terraform", metavar="FOLDER", help="in their place: the Terraform root of a deployment on AWS"
    )
    commands = top.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    for noun in (up, demo, submit, jobs, logs, cluster, image, doctor):
        noun.add(commands, shared)
    return top
