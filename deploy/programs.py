"""Other people's programs, run so that a user sees what they say."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence

from deploy.failed import Failed

#: What to do where a program is missing.
_INSTALL = {
    "terraform": "install Terraform 1.11 or newer",
    "docker": "install Docker with Buildx",
}


def run(words: Sequence[str], environ: Mapping[str, str] | None = None, text: str | None = None) -> None:
    """Run a program with its output to standard error, and `text`, if any, as its input.

    Raises:
        Failed: It is not there, or ended with an error, which it has told.
    """
    print(f"+ {shlex.join(words)}", file=sys.stderr, flush=True)
    try:
        ran = subprocess.run(
            words, env={**os.environ, **(environ or {})}, input=text, text=True, stdout=sys.stderr, check=False
        )
    except FileNotFoundError:
        raise _missing(words[0]) from None
    if ran.returncode:
        raise Failed(f"`{shlex.join(words)}` ended with {ran.returncode}; what it said is above")


def ask(words: Sequence[str]) -> str:
    """What a program prints.

    Raises:
        Failed: It is not there, or ended with an error, which the message quotes.
    """
    try:
        ran = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise _missing(words[0]) from None
    if ran.returncode:
        said = ran.stderr.strip() or "it does not say why"
        raise Failed(f"`{shlex.join(words)}` ended with {ran.returncode}: {said}")
    return ran.stdout


def _missing(program: str) -> Failed:
    return Failed(f"there is no program `{program}` here: {_INSTALL[program]}")
