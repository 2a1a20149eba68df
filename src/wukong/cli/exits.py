"""The exit codes of the `wukong` command, and which error leads to which. Pure."""

from __future__ import annotations

import enum

from wukong import errors


class UsageError(Exception):
    """The command, or a file that it was given, cannot be understood as it is."""


class Exit(enum.IntEnum):
    """How the command ended; the value is the process's exit code."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Exit:
        """An exit code with its meaning for the user."""
        made = int.__new__(cls, code)
        made._value_ = code
        made.meaning = meaning
        return made

    OK = 0, "done"
    FAILED = 1, "the job failed or was cancelled, or a check did not hold"
    USAGE = 2, "the command or the graph is not valid, or above a limit of the cluster"
    UNAVAILABLE = 3, "no cluster answers, or a part of it cannot start"
    DENIED = 4, "the cluster refuses the token, or a certificate cannot be trusted"
    UNKNOWN_JOB = 5, "the cluster does not know the job"
    VERSIONS = 6, "versions do not fit together, or a package is missing"
    INTERRUPTED = 130, "interrupted with Ctrl-C"


#: The first class that an error belongs to decides; all others mean that the job failed.
_CODES: tuple[tuple[type[Exception], Exit], ...] = (
    (UsageError, Exit.USAGE),
    (errors.InvalidGraph, Exit.USAGE),
    (errors.LimitExceeded, Exit.USAGE),
    (errors.ClusterUnavailable, Exit.UNAVAILABLE),
    (errors.AccessDenied, Exit.DENIED),
    (errors.UnknownJob, Exit.UNKNOWN_JOB),
    (errors.VersionMismatch, Exit.VERSIONS),
    (errors.MissingModule, Exit.VERSIONS),
)


def exit_of(error: Exception) -> Exit:
    """The exit code of a command that an error ended."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), Exit.FAILED)
