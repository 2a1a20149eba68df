"""Entry point of the `wukong` command."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from wukong.cli.exits import Exit, UsageError, exit_of
from wukong.cli.interrupts import leave, on_interrupt
from wukong.cli.output import complain
from wukong.errors import WukongError


def main(words: Sequence[str] | None = None) -> int:
    """Run the command that `words`, by default the process's arguments, say. Returns its exit code."""
    with on_interrupt(leave):
        return _run(words)


def _run(words: Sequence[str] | None) -> int:
    try:
        from wukong.cli.parser import parser
    except ModuleNotFoundError as missing:
        complain(f"the command needs the package {missing.name!r}: pip install 'wukong[client]'")
        return Exit.VERSIONS
    try:
        arguments = parser().parse_args(words)
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has seen enough. What is still buffered must not complain when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except (WukongError, UsageError) as error:
        complain(str(error))
        return exit_of(error)
    return code


if __name__ == "__main__":
    sys.exit(main())
