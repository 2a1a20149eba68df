"""The secrets of a new cluster, as files: `python -m wukong.cluster.secret_files FOLDER`.

All of them are in `FOLDER/all`, made once: what is there stays, so that a cluster which starts again has the secrets
that it had. Each part has a folder of its own beside it with what it needs, and no more: mount it where the part runs,
and name the files by the variables of `wukong.settings` that end in `_FILE`.

The users of the stores go to where the stores run, with hashes of their passwords. With `--certificates` there are
certificates too (`wukong.cluster.certificates`).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from wukong.cluster import certificates
from wukong.cluster.roles import RIGHTS, Role, digest, users
from wukong.errors import WukongError

#: Where all of them are.
ALL = "all"

#: File there -> bytes of chance in it.
FILES = {"token": 16, "signing-key": 32, **{f"store-password-{role}": 16 for role in Role}}

_SERVER = ("ca.pem", *certificates.SERVER)
_CALLER = ("ca.pem", *certificates.CLIENT)

#: Part -> its role in the stores, its secrets beside the password for them, and its certificates. The scheduler's
#: folder has what users ask for, too.
PARTS: dict[str, tuple[Role, tuple[str, ...], tuple[str, ...]]] = {
    "scheduler": (Role.SCHEDULER, ("token", "signing-key"), (*_SERVER, *certificates.CLIENT)),
    "proxy": (Role.PROXY, ("token", "signing-key"), _SERVER),
    "node": (Role.NODE, ("token",), _SERVER),
    "executor": (Role.EXECUTOR, ("token", "signing-key"), _CALLER),
}


def write(folder: Path) -> list[str]:
    """Make the secrets that are missing, readable for their owner alone; returns their names."""
    made = []
    for name, size in FILES.items():
        # Under its own name only when it is whole; and who comes second leaves the first one's.
        draft = _draft(folder, name, secrets.token_hex(size).encode())
        with contextlib.suppress(FileExistsError):
            os.link(draft, folder / name)
            made.append(name)
        draft.unlink()
    return made


def hand_out(folder: Path) -> None:
    """Give each part what it needs of `FOLDER/all`, in a folder of its own."""
    everything = folder / ALL
    passwords = {role: (everything / f"store-password-{role}").read_text() for role in Role}
    for part, (role, names, certificates_) in PARTS.items():
        theirs = {name: (everything / name).read_bytes() for name in names}
        theirs["store-password"] = passwords[role].encode()
        theirs |= {name: (everything / name).read_bytes() for name in certificates_ if (everything / name).exists()}
        if role is Role.NODE:
            digests = {other: digest(password) for other, password in passwords.items()}
            for store in RIGHTS:
                theirs[f"users-{store}"] = "\n".join([*users(store, digests), ""]).encode()
        (folder / part).mkdir(exist_ok=True)
        for name, content in theirs.items():
            _draft(folder / part, name, content).replace(folder / part / name)


def _draft(folder: Path, name: str, content: bytes) -> Path:
    draft = folder / f".{name}.{secrets.token_hex(4)}"
    draft.touch(mode=0o600)
    draft.write_bytes(content)
    draft.chmod(0o400)
    return draft


def make(folder: Path, names: Sequence[str] = ()) -> list[str]:
    """Make what is missing and hand it out; returns the names of the secrets that are new.

    Args:
        folder: Where to.
        names: Names under which servers are called, for certificates; none for a cluster without TLS.
    """
    (folder / ALL).mkdir(parents=True, exist_ok=True)
    made = write(folder / ALL)
    if names:
        certificates.make(folder / ALL, (*certificates.NAMES, *names))
    hand_out(folder)
    return made


def main() -> None:
    """Make them in the folder that the command line names."""
    parser = argparse.ArgumentParser(prog="wukong.cluster.secret_files", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--certificates", default="", metavar="NAMES", help="names of servers, with commas between, for certificates"
    )
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    try:
        made = make(folder, [name for name in arguments.certificates.split(",") if name])
    except WukongError as error:
        sys.exit(f"secret_files: {error}")
    print(f"{folder}: made {', '.join(made)}" if made else f"{folder}: nothing is missing")


if __name__ == "__main__":
    main()
