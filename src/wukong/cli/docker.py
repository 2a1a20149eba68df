"""`docker`, with what is wrong said plainly. Its own words go to standard error, where one reads how a build goes."""

from __future__ import annotations

import subprocess
import sys

from wukong.errors import ClusterUnavailable


class Docker:
    """The program on the PATH."""

    def tell(self, what: str, *words: str, given: str | None = None) -> None:
        """Have it do something.

        Args:
            what: What cannot be done where that fails, for the error.
            words: What it is told.
            given: What it reads.

        Raises:
            ClusterUnavailable: It did not do it, or it is not there.
        """
        self._run(what, words, given, subprocess.DEVNULL if given is not None else None)

    def ask(self, what: str, *words: str) -> str:
        """What it answers; the rest as `tell`."""
        return self._run(what, words, None, subprocess.PIPE).strip()

    @staticmethod
    def _run(what: str, words: tuple[str, ...], given: str | None, out: int | None) -> str:
        try:
            done = subprocess.run(
                ["docker", *words],
                input=given or "",  # never the terminal: it must not wait for a password there
                stdout=sys.stderr if out is None else out,
                text=True,
                check=False,
            )
        except FileNotFoundError:
            raise ClusterUnavailable(f"{what}: there is no program `docker` here; install Docker with Buildx") from None
        except PermissionError as error:
            raise ClusterUnavailable(f"{what}: the program `docker` cannot be run: {error.strerror}") from None
        if done.returncode:
            raise ClusterUnavailable(
                f"{what}: `docker {' '.join(words[:2])}` ended with {done.returncode}; what it said is above"
            )
        return str(done.stdout or "")
