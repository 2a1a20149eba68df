"""Whether a container's processes answer: `python -m wukong_kvs_node.health`, the health check of the image.

With `--store-alone` only the server is asked: so it is where no agent is beside it, as with the metadata store.
"""

from __future__ import annotations

import argparse
import os
import sys

from wukong import settings
from wukong.rpc.serving import serving
from wukong_kvs_node import place
from wukong_kvs_node.store import answers


def main() -> None:
    """Ask, and exit with 0 where all answer."""
    parser = argparse.ArgumentParser(prog="wukong_kvs_node.health", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--store-alone", action="store_true", help="there is no agent")
    alone = parser.parse_args().store_alone
    well = answers()
    if well and not alone:
        well = serving({**place.settled(), **os.environ}[settings.LISTEN.name])
    sys.exit(not well)


if __name__ == "__main__":
    main()
