"""A Valkey server as a container's only process: `python -m wukong_kvs_node.store`.

This process becomes the server, so that it gets the signals itself. Its configuration, with the password, goes through
a pipe; a certificate and its key that stand in settings, through files that only this process has.

A server that keeps something has its folder for itself: it waits until no other one has it, on whatever machine that
mounts it.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from wukong import settings
from wukong.cluster.huge_pages import with_huge_pages
from wukong.cluster.valkey import configuration, server_program
from wukong.errors import WukongError
from wukong.redis import tls
from wukong.redis.connection import Connection
from wukong_kvs_node import place

_TRIAL_SECONDS = 2.0
#: How each line about a user begins. What begins so is no path, but the lines themselves.
_USER = "user "


def answers(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the server on this machine answers to the user and password of the settings."""
    user, password = settings.STORE_USER.get(environ), settings.STORE_PASSWORD.get(environ)
    connection = Connection(
        f"127.0.0.1:{place.STORE_PORT}",
        user=user,
        password=password,
        timeout=_TRIAL_SECONDS,
        authority=tls.read_authority(environ),
    )
    try:
        connection.call("PING")
    except WukongError:
        return False
    finally:
        connection.close()
    return True


def hold(folder: str) -> None:
    """Have a folder for this process, and what becomes of it, alone; waits for another one to end.

    The lock is the system's, so it ends with its process, and on a file system of the network (NFS version 4, which EFS
    is) it holds for all machines.
    """
    number = os.open(Path(folder, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"another server has {folder}; waiting until it ends", file=sys.stderr, flush=True)
        fcntl.flock(number, fcntl.LOCK_EX)
    os.set_inheritable(number, True)


def become(users: Sequence[str], keep: str, memory_mb: int | None, secure: tuple[str, str] | None = None) -> NoReturn:
    """Turn this process into the server; it listens on every interface.

    Args:
        users: Lines that say whom it lets in.
        keep: The folder of its append-only file; empty to keep nothing on disk.
        memory_mb: What it may hold; None for no limit.
        secure: Its certificate and key (PEM), to speak TLS only; None to speak in the clear.
    """
    files = f'appendonly yes\nappendfsync everysec\ndir "{keep}"' if keep else "appendonly no"
    reading, writing = os.pipe()
    shown = (_file(secure[0]), _file(secure[1])) if secure else None
    os.write(writing, configuration("* -::*", place.STORE_PORT, users, files, memory_mb, bool(keep), shown).encode())
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
    try:
        users, secure = _users(), _secure()
    except WukongError as error:
        sys.exit(str(error))
    if arguments.keep:
        hold(arguments.keep)
    become(users, arguments.keep, int(memory_mb) if memory_mb else None, secure)


def _secure() -> tuple[str, str] | None:
    certificate, key = tls.read(settings.STORE_CERTIFICATE, os.environ), tls.read(settings.STORE_KEY, os.environ)
    if bool(certificate) != bool(key):
        missing, given = settings.STORE_KEY.name, settings.STORE_CERTIFICATE.name
        if key:
            missing, given = given, missing
        sys.exit(f"{missing} is missing, and {given} is given; a certificate and its key belong together")
    return (certificate, key) if certificate else None


def _file(text: str) -> str:
    """The path of a file with this text, in memory, for this process and what it becomes."""
    number = os.memfd_create("wukong", 0)
    os.write(number, text.encode())
    return f"/proc/self/fd/{number}"


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
