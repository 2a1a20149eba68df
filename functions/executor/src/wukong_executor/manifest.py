"""The executors' manifest: `python -m wukong_executor.manifest > manifest.json`, in the image that they run in.

The scheduler is given it (WUKONG_EXECUTOR_RUNTIME), and refuses clients that it does not fit and calls of functions
that it does not list. The executor itself holds it against what it finds around it: a scheduler that was not told of a
new image accepts jobs that this image breaks.
"""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import asdict
from functools import cache

from wukong.graph.functions import allowed_functions
from wukong.runtime import Runtime, installed

_log = logging.getLogger(__name__)

#: What this process has; looked up once, in the process that environments are forked from if there is one.
HERE = installed()


@cache
def refusal(accepted: str) -> str:
    """Why a job that was accepted for executors with this manifest (JSON) must not run here; empty if it may.

    Logs it, or what else differs, when it is first asked for a manifest.
    """
    reason, told = compare(HERE, Runtime.parse(accepted))
    if reason:
        _log.error("%s", reason)
    for sentence in told:
        _log.warning("%s", sentence)
    return reason


def compare(here: Runtime, stated: Runtime) -> tuple[str, list[str]]:
    """Why jobs for executors with the manifest `stated` must not run here, or empty; and what else differs. Pure."""
    if breaking := here.breaks(stated):
        reason = (
            f"the executors have {_list(here, breaking)}, but the job was accepted for executors with "
            f"{_list(stated, breaking)}: their image is not the one that the scheduler was told of. Write the manifest "
            "again with `python -m wukong_executor.manifest` in the image that is deployed, and start the scheduler "
            "with it (WUKONG_EXECUTOR_RUNTIME)"
        )
        return reason, []
    return "", [
        f"{name} is {here.packages[name]} here, and {version} in the manifest that the scheduler has"
        for name, version in sorted(stated.packages.items())
        if name in here.packages and here.packages[name] != version
    ]


def _list(runtime: Runtime, names: list[str]) -> str:
    return ", ".join(map(runtime.version, names))


def main() -> None:
    """Print the manifest."""
    parser = argparse.ArgumentParser(prog="wukong_executor.manifest", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--image-digest", default="", help="digest of the executor's image, if it is pushed already")
    here = installed(parser.parse_args().image_digest)
    print(json.dumps({**asdict(here), "functions": sorted(allowed_functions())}, sort_keys=True))


if __name__ == "__main__":
    main()
