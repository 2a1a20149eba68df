"""The secrets of a new cluster, as files: `python -m wukong.cluster.secret_files FOLDER`.

What is there already stays, so that a cluster which starts again has the secrets that it had. Each part is told where
its own are by the variables of `wukong.settings` that end in `_FILE`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
from pathlib import Path

#: File -> bytes of chance in it.
FILES = {"token": 16, "store-password": 16, "signing-key": 32}


def write(folder: Path) -> list[str]:
    """Make the files that are missing, readable for their owner alone; returns their names."""
    made = []
    for name, size in FILES.items():
        path = folder / name
        # Under its own name only when it is whole; and who comes second leaves the first one's.
        draft = folder / f".{name}.{secrets.token_hex(4)}"
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_hex(size))
        draft.chmod(0o400)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
            made.append(name)
        draft.unlink()
    return made


def main() -> None:
    """Make them in the folder that the command line names."""
    parser = argparse.ArgumentParser(prog="wukong.cluster.secret_files", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    made = write(folder)
    print(f"{folder}: made {', '.join(made)}" if made else f"{folder}: nothing is missing")


if __name__ == "__main__":
    main()
