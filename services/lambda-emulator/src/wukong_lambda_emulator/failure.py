"""Why an invocation failed without its function saying so."""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass

# The type of a failure that lies with the emulator and not with the function.
SERVICE = "ServiceException"

# The names under which Lambda, whose supervisor is written in Go, reports signals.
_SIGNALS: dict[int, str] = {
    signal.SIGHUP: "hangup",
    signal.SIGINT: "interrupt",
    signal.SIGQUIT: "quit",
    signal.SIGILL: "illegal instruction",
    signal.SIGTRAP: "trace/breakpoint trap",
    signal.SIGABRT: "aborted",
    signal.SIGBUS: "bus error",
    signal.SIGFPE: "floating point exception",
    signal.SIGKILL: "killed",
    signal.SIGSEGV: "segmentation fault",
    signal.SIGPIPE: "broken pipe",
    signal.SIGALRM: "alarm clock",
    signal.SIGTERM: "terminated",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as Lambda reports it: `error_type` such as Sandbox.Timedout, and a sentence."""

    error_type: str
    message: str
    #: The document in which the runtime reported it, where it did.
    document: bytes = b""

    def describe(self, request_id: str) -> bytes:
        """The error document for the caller of an invocation."""
        if self.document:
            return self.document
        message = f"RequestId: {request_id} Error: {self.message}"
        return json.dumps({"errorType": self.error_type, "errorMessage": message}).encode()


def timed_out(seconds: float) -> Failure:
    """The function ran for longer than its timeout."""
    return Failure("Sandbox.Timedout", f"Task timed out after {seconds:.2f} seconds")


def unavailable(reason: str) -> Failure:
    """No environment can be had."""
    return Failure(SERVICE, reason)


def too_large(size: int, limit: int) -> Failure:
    """The function answered with more than Lambda passes on."""
    return Failure(
        "Function.ResponseSizeTooLarge",
        f"Response payload size ({size} bytes) exceeded maximum allowed payload size ({limit} bytes).",
    )


def exited(status: int, *, out_of_memory: bool = False) -> Failure:
    """The environment ended by itself or was killed; `status` is the exit status, or minus the signal."""
    if out_of_memory:
        return Failure("Runtime.OutOfMemory", "Runtime exited with error: signal: killed")
    if status == 0:
        return Failure("Runtime.ExitError", "Runtime exited without providing a reason")
    if status > 0:
        return Failure("Runtime.ExitError", f"Runtime exited with error: exit status {status}")
    name = _SIGNALS.get(-status, f"signal {-status}")
    return Failure("Runtime.ExitError", f"Runtime exited with error: signal: {name}")
