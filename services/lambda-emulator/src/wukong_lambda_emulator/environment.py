"""One environment: its process, its own Runtime API port, its log and the invocation that it works on."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from wukong_lambda_emulator.environment_log import EnvironmentLog
from wukong_lambda_emulator.failure import Failure
from wukong_lambda_emulator.invocation import Invocation
from wukong_lambda_emulator.provider import Sandbox


class Owner(Protocol):
    """Who is told what the environment does."""

    def polled(self, environment: Environment) -> None:
        """It asks for an invocation."""

    def answered(self, environment: Environment, document: bytes, function_error: str, failure: Failure | None) -> None:
        """It posted the response, or the error, of its invocation."""

    def undelivered(self, environment: Environment) -> None:
        """It was gone when its invocation was to be sent."""


class Environment:
    """The shell's side of an environment. The pool knows it by its number."""

    def __init__(self, number: int, owner: Owner, log: EnvironmentLog, timeout: float, memory_mb: int) -> None:
        self.number = number
        self.log = log
        self.sandbox: Sandbox | None = None
        #: What it posted to /init/error, if it did.
        self.init_failure: Failure | None = None
        #: What it works on.
        self.invocation: Invocation | None = None
        self._owner = owner
        self._timeout = timeout
        self._memory_mb = memory_mb
        self._poll: asyncio.Future[Invocation] | None = None
        #: It was told to end, or not to start.
        self.killed = False
        self._created = time.monotonic()
        self._begun = 0.0
        self._init_seconds: float | None = None

    # The Runtime API calls these.

    async def next(self) -> Invocation | None:
        """Wait for an invocation, for as long as it takes. None when the environment may not ask now."""
        if self.invocation is not None or (self._poll is not None and not self._poll.done()):
            return None
        if self._init_seconds is None:
            self._init_seconds = time.monotonic() - self._created
        self._poll = asyncio.get_running_loop().create_future()
        self._owner.polled(self)
        return await self._poll

    def lost(self) -> None:
        """The connection over which the invocation was to go is closed: the environment never saw it."""
        self._owner.undelivered(self)

    def answer(self, document: bytes, function_error: str = "", failure: Failure | None = None) -> None:
        """Take the document that ends the present invocation."""
        self._owner.answered(self, document, function_error, failure)

    def fail_start(self, failure: Failure) -> None:
        """Take the reason why the environment will end before its first poll."""
        self.init_failure = failure

    # The function calls these.

    def deliver(self, invocation: Invocation) -> None:
        """Give it the invocation that it is waiting for."""
        assert self._poll is not None
        self.invocation = invocation
        self._begun = time.monotonic()
        self.log.drain()
        self.log.begin()
        self.log.write(f"START RequestId: {invocation.request_id} Version: $LATEST")
        self._poll.set_result(invocation)

    def conclude(self, failure: Failure | None) -> None:
        """Write what Lambda writes at the end of an invocation; `failure` unless the environment answered."""
        invocation, self.invocation = self.invocation, None
        if invocation is None:
            return
        self.log.drain()
        seconds = time.monotonic() - self._begun
        timeout = failure is not None and failure.error_type == "Sandbox.Timedout"
        if timeout and failure:
            self.log.write(
                f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {invocation.request_id} {failure.message}\n"
            )
        elif failure:
            self.log.write(f"RequestId: {invocation.request_id} Error: {failure.message}\n{failure.error_type}")
        self.log.write(f"END RequestId: {invocation.request_id}")
        used = self.sandbox.used_bytes() if self.sandbox else 0
        report = [
            f"REPORT RequestId: {invocation.request_id}",
            f"Duration: {seconds * 1e3:.2f} ms",
            f"Billed Duration: {int(seconds * 1e3) + 1} ms",
            f"Memory Size: {self._memory_mb} MB",
            f"Max Memory Used: {used >> 20} MB",
        ]
        if self._init_seconds:
            report.append(f"Init Duration: {self._init_seconds * 1e3:.2f} ms")
            self._init_seconds = 0.0
        if failure:
            report.append(f"Status: {'timeout' if timeout else 'error'}")
            report.append(f"Error Type: {failure.error_type}")
        self.log.write("\t".join(report))
        invocation.tail = self.log.tail()

    def started(self, sandbox: Sandbox) -> None:
        """Its process runs."""
        self.sandbox = sandbox
        if self.killed:
            sandbox.kill()

    def kill(self) -> None:
        """End it, at once or as soon as it has begun."""
        self.killed = True
        if self.sandbox:
            self.sandbox.kill()

    def close(self) -> None:
        """It has ended: nobody will ever answer its poll."""
        if self._poll is not None:
            self._poll.cancel()
        self.log.close()

    @property
    def deadline_ms(self) -> int:
        """When the present invocation's time is up, as milliseconds since 1970."""
        left = self._begun + self._timeout - time.monotonic()
        return int((time.time() + left) * 1000)
