"""Certificates for development: `python -m wukong.cluster.certificates FOLDER` (or `make certificates`).

It makes an authority of its own, and with it a certificate for servers and one for clients. An authority that is there
stays, so that those who know it need nothing new; the other two are made anew. The program `openssl` does the work.
Where others than developers rely on it, take certificates of an authority that is run with care.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from wukong.errors import WukongError

#: Files: the authority's certificate and key, those for servers, and those for clients.
AUTHORITY = ("ca.pem", "ca-key.pem")
SERVER = ("server.pem", "server-key.pem")
CLIENT = ("client.pem", "client-key.pem")

#: Names of a server on this machine.
NAMES = ("localhost", "127.0.0.1", "::1")
#: Days for which the authority and its certificates are valid.
AUTHORITY_DAYS = 3650
DAYS = 90

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def make(folder: Path, names: Sequence[str] = NAMES, days: int = DAYS) -> None:
    """Make the files; keys can be read by their owner alone.

    Args:
        folder: Where they go; it is made if it is missing.
        names: Host names and addresses under which servers are called.
        days: For which the certificates are valid; with -1 they expired yesterday.

    Raises:
        WukongError: There is no `openssl`, or it fails; says what it said.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not all((folder / name).exists() for name in AUTHORITY):
        _authority(folder)
    _issue(folder, SERVER, "wukong server", names, days)
    _issue(folder, CLIENT, "wukong client", (), days)


def _authority(folder: Path) -> None:
    certificate, key = AUTHORITY
    with _drafts(folder, certificate, key) as draft:
        _openssl(
            *("req", "-x509", *_KEY, "-keyout", key, "-out", certificate, "-days", str(AUTHORITY_DAYS)),
            *("-subj", f"/CN=wukong development authority {os.urandom(4).hex()}"),
            *("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"),
            folder=draft.folder,
        )


def _issue(folder: Path, files: tuple[str, str], subject: str, names: Sequence[str], days: int) -> None:
    certificate, key = files
    with _drafts(folder, certificate, key) as draft:
        # Servers call other servers with the same certificate, so it is for both.
        extensions = ["basicConstraints=critical,CA:FALSE", "extendedKeyUsage=serverAuth,clientAuth"]
        if names:
            extensions.append("subjectAltName=" + ",".join(map(_alternative, names)))
        (draft.folder / "extensions").write_text("\n".join(extensions))
        _openssl(
            "req", "-new", *_KEY, "-keyout", key, "-out", "request", "-subj", f"/CN={subject}", folder=draft.folder
        )
        authority = [str((folder / name).resolve()) for name in AUTHORITY]
        _openssl(
            *("x509", "-req", "-in", "request", "-out", certificate, "-days", str(days)),
            *("-CA", authority[0], "-CAkey", authority[1], "-set_serial", f"0x{os.urandom(16).hex()}"),
            *("-extfile", "extensions"),
            folder=draft.folder,
        )


class _drafts:  # noqa: N801
    """A folder beside the final files, which get there whole and together, or not at all."""

    def __init__(self, folder: Path, *names: str) -> None:
        self._final, self._names = folder, names
        self._temporary = tempfile.TemporaryDirectory(dir=folder, prefix=".draft-")
        self.folder = Path(self._temporary.name)

    def __enter__(self) -> _drafts:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        try:
            if error is None:
                for name in self._names:
                    (self.folder / name).chmod(0o400 if "key" in name else 0o444)
                    (self.folder / name).replace(self._final / name)
        finally:
            self._temporary.cleanup()


def _alternative(name: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        return f"DNS:{name}"


def _openssl(*arguments: str, folder: Path) -> None:
    try:
        done = subprocess.run(
            ["openssl", *arguments], cwd=folder, capture_output=True, stdin=subprocess.DEVNULL, text=True
        )
    except FileNotFoundError:
        raise WukongError(
            "there is no program `openssl` on the PATH, which makes the certificates; install it"
        ) from None
    if done.returncode:
        raise WukongError(f"`openssl {arguments[0]}` failed with code {done.returncode}: {done.stderr.strip()}")


def main() -> None:
    """Make them in the folder that the command line names."""
    parser = argparse.ArgumentParser(prog="wukong.cluster.certificates", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", action="append", default=[], help="further host name or address of servers")
    parser.add_argument("--days", type=int, default=DAYS, help=f"days for which they are valid (default: {DAYS})")
    arguments = parser.parse_args()
    try:
        make(arguments.folder, (*NAMES, *arguments.name), arguments.days)
    except (WukongError, OSError) as error:
        sys.exit(f"certificates: {error}")
    print(f"{arguments.folder}: {', '.join((*AUTHORITY, *SERVER, *CLIENT))}")


if __name__ == "__main__":
    main()
