"""Certificates and keys as settings name them: by the path of a file, or by what would be in it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: How what would be in a file begins, where it stands in the place of the file's path.
_BEGIN = "-----BEGIN"


def is_text(given: str) -> bool:
    """Whether this is what would be in a file, and no path."""
    return given.startswith(_BEGIN)


def named(given: str) -> str:
    """A file for messages, which never show what stands in the place of its path."""
    return "text" if is_text(given) else repr(given)


def content(given: str) -> bytes:
    """What is in the file.

    Raises:
        OSError: It cannot be read.
    """
    return given.encode() if is_text(given) else Path(given).read_bytes()


@contextmanager
def as_file(given: str) -> Iterator[str]:
    """The path of a file; for text that of one which is there for the block, since OpenSSL reads keys from files."""
    if not is_text(given):
        yield given
    elif hasattr(os, "memfd_create"):  # where nothing can be written to a disk, too
        held = os.memfd_create("pem")
        try:
            os.write(held, given.encode())
            yield f"/proc/self/fd/{held}"
        finally:
            os.close(held)
    else:
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(given)
            file.flush()
            yield file.name
