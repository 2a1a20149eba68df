"""A Valkey server as a container's only process: `python -m wukong_kvs_node.store`.

This process becomes the server, so that it gets the signals itself. Its configuration, with the password, goes through
a pipe.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from wukong import settings
from wukong.cluster.huge_pages import with_huge_pages
from wukong.cluster.valkey import configuration, server_program
from wukong.errors import WukongError
from wukong.redis.connection import Connection
from wukong_kvs_node import place

_TRIAL_SECONDS = 2.0
#: How each line about a user begins. What begins so is no path, but the lines themselves.
_USER = "user "


def answers(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the server on this machine answers to the user and password of the settings."""
    user, password = settings.STORE_USER.get(environ), settings.STORE_PASSWORD.get(environ)
    connection = Connection(f"127.0.0.1:{place.STORE_PORT}", user=user, password=password, timeout=_TRIAL_SECONDS)
    try:
        connection.call("PING")
    except WukongError:
        return False
    finally:
        connection.close()
    return True


def become(users: Sequence[str], keep: str, memory_mb: int | None) -> NoReturn:
    """Turn this process into the server; it listens on every interface.

    Args:
        users: Lines that say whom it lets in.
        keep: The folder of its append-only file; empty to keep nothing on disk.
        memory_mb: What it may hold; None for no limit.
    """
    files = f'appendonly yes\nappendfsync everysec\ndir "{keep}"' if keep else "appendonly no"
    reading, writing = os.pipe()
    os.write(writing, configuration("* -::*", place.STORE_PORT, users, files, memory_mb, bool(keep)).encode())
    os.close(writing)
    os.dup2(reading, 0)
    program = server_program()
    os.execve(program, [program, "-"], os.environ if keep else with_huge_pages(os.environ))


def main() -> None:
    """Run the server."""
    parser = argparse.ArgumentParser(prog="wukong_kvs_node.store", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", default="", help="folder in which everything is kept through a restart")
    arguments = parser.parse_args()
    memory_mb = settings.NODE_MEMORY_MB.get()
    become(_users(), arguments.keep, int(memory_mb) if memory_mb else None)


def _users() -> Sequence[str]:
    path = settings.STORE_USERS.get()
    if path.startswith(_USER):
        return path.splitlines()
    if path:
        try:
            return Path(path).read_text().splitlines()
        except OSError as error:
            sys.exit(f"{settings.STORE_USERS.name} is {path!r}, which cannot be read: {error.strerror}")
    password = settings.STORE_PASSWORD.get()
    if not password:
        sys.exit(f"{settings.STORE_PASSWORD.name} is empty: anybody could read and change the store. Set it")
    return [f'requirepass "{password}"']


if __name__ == "__main__":
    main()
