"""What runs inside an environment: AWS's own runtime interface client, unmodified, around the handler.

The environment is a process of its own session, so that it can be killed with everything that it started. It
comes here either forked from the zygote (`become` and `run` are called in the child) or as a fresh interpreter
(`python -m wukong_lambda_emulator.runtime`, where forking is not safe).
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import os
import random
import signal
import sys
import time
import traceback
from typing import NoReturn

from wukong.cluster import lifeline
from wukong_lambda_emulator.threads import allow_openblas


def become(variables: dict[str, str], directory: str, lifeline_fd: int) -> None:
    """Turn this process into the environment that `variables` and `directory` describe."""
    # When memory runs out for the whole machine, an environment goes first, and not the user's program.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("500")
    os.environ.update(variables)
    time.tzset()
    if (threads := variables.get("OPENBLAS_NUM_THREADS", "")).isdecimal():
        allow_openblas(int(threads))
    if directory:  # Without one, the starter's own is a user's, whose files must not shadow any module.
        os.chdir(directory)
        sys.path.insert(0, os.getcwd())
    random.seed()
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    lifeline.watch(lifeline_fd)


def run(handler: str) -> NoReturn:
    """Serve invocations with `handler` until the process ends; it ends as an interpreter's main program would.

    A failing runtime, `sys.exit` in a handler and KeyboardInterrupt leave awslambdaric's loop and get here.
    """
    status = 1
    try:
        # Imported here because the C client reads AWS_LAMBDA_RUNTIME_API when it is loaded.
        from awslambdaric import bootstrap
        from awslambdaric.lambda_runtime_client import LambdaRuntimeClient

        bootstrap.run(handler, LambdaRuntimeClient(os.environ["AWS_LAMBDA_RUNTIME_API"]))
    except SystemExit as leaving:
        if isinstance(leaving.code, int) or leaving.code is None:
            status = leaving.code or 0
        else:
            print(leaving.code, file=sys.stderr)
    except KeyboardInterrupt:
        traceback.print_exc()
        _flush()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        traceback.print_exc()
    # What the function registered. The zygote's own are gone since the fork.
    atexit._run_exitfuncs()
    _flush()
    # Not the interpreter's own end: that would tear down, page by page, what is shared with the zygote.
    os._exit(status & 0xFF)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()


def main() -> NoReturn:
    """Be an environment in a fresh interpreter: variables, directory and streams are the process's own."""
    parser = argparse.ArgumentParser(prog="wukong_lambda_emulator.runtime")
    parser.add_argument("--handler", required=True)
    parser.add_argument("--lifeline", type=int, required=True)
    parser.add_argument("--directory", default="")
    arguments = parser.parse_args()
    become({}, arguments.directory, arguments.lifeline)
    run(arguments.handler)


if __name__ == "__main__":
    main()
