"""One function: carries out what its pool decides, with environments from a provider."""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from dataclasses import dataclass

from wukong_lambda_emulator import api_error, chaos, failure, function_name, invocation_record, trace
from wukong_lambda_emulator.api_error import ApiError
from wukong_lambda_emulator.environment import Environment
from wukong_lambda_emulator.environment_log import FunctionLog
from wukong_lambda_emulator.environments import Environments
from wukong_lambda_emulator.event_invoke_config import EventInvokeConfig
from wukong_lambda_emulator.events import (
    Answered,
    ConcurrencySet,
    Event,
    EventsConfigured,
    Invoked,
    Polled,
    Prewarmed,
    Ticked,
    Undelivered,
)
from wukong_lambda_emulator.failure import Failure
from wukong_lambda_emulator.function_settings import FunctionSettings
from wukong_lambda_emulator.instructions import (
    Deliver,
    Expire,
    Finish,
    Instruction,
    Kill,
    Postpone,
    Start,
    Throttle,
)
from wukong_lambda_emulator.invocation import Answer, Invocation
from wukong_lambda_emulator.pool import Pool
from wukong_lambda_emulator.provider import Provider
from wukong_lambda_emulator.queues import Queues, Undeliverable
from wukong_lambda_emulator.relay_process import RelayProcess


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller of the Invoke API sent."""

    payload: bytes
    client_context: str = ""
    trace: str = ""


class Function:
    """One function, its environments and its invocations."""

    def __init__(
        self,
        name: str,
        settings: FunctionSettings,
        provider: Provider,
        log: FunctionLog,
        region: str,
        queues: Queues,
        relay: RelayProcess | None = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self.arn = function_name.arn(region, name)
        self.log = log
        #: Set by PutFunctionConcurrency.
        self.reserved: int | None = None
        #: Set by PutFunctionRecursionConfig.
        self.recursive_loop = settings.recursive_loop
        #: Set by PutFunctionEventInvokeConfig.
        self.event_config: EventInvokeConfig | None = None
        self._queues = queues
        self._pool = Pool(settings.limits)
        self._environments = Environments(name, settings, provider, log, region, self, self._happened, relay)
        self._invocations: dict[str, Invocation] = {}
        self._running: dict[str, Environment] = {}
        self._requests = itertools.count(1)
        self._deliveries = itertools.count(1)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    # The Invoke API calls these.

    def call(self, request: Request) -> Invocation:
        """Take a synchronous invocation. Its `outcome` becomes its answer, or the refusal.

        Raises:
            ApiError: Chaos throttles it, or the chain of invocations that led here is too long.
        """
        self._fate()
        id_ = str(uuid.uuid4())
        header, stopped = self._follow(request, id_)
        if stopped:
            raise api_error.recursive(self.name)
        outcome: asyncio.Future[Answer | ApiError] = self._loop.create_future()
        invocation = Invocation(id_, id_, request.payload, header, self.arn, request.client_context, outcome)
        self._invocations[id_] = invocation
        self._happened(Invoked(id_, asynchronous=False))
        return invocation

    def send(self, request: Request) -> str:
        """Take an asynchronous invocation, and return its request id, which all its deliveries have.

        Raises:
            ApiError: Chaos throttles it.
        """
        fate = self._fate()
        request_id = str(uuid.uuid4())
        header, stopped = self._follow(request, request_id)
        if stopped:
            self._report(
                Invocation(request_id, request_id, request.payload, header, self.arn),
                invocation_record.RETRIES_EXHAUSTED,
            )
            return request_id
        for copy, delay in enumerate(fate.delays):
            id_ = f"{request_id}.{copy + 1}" if copy else request_id
            self._invocations[id_] = Invocation(id_, request_id, request.payload, header, self.arn)
            if copy >= self.settings.deliveries:
                self._say(f"chaos delivers invocation {request_id} once more, as {id_}")
            if delay:
                self._say(f"chaos delays invocation {id_} by {delay:.3f} s")
            self._happened(Invoked(id_, asynchronous=True, delay=delay))
        if not fate.delays:
            self._say(f"chaos drops invocation {request_id}")
        return request_id

    def reserve(self, concurrency: int | None) -> None:
        """Set the reserved concurrency, or with None go back to the settings'."""
        self.reserved = concurrency
        self._happened(ConcurrencySet(self.settings.concurrency if concurrency is None else concurrency))

    def configure_events(self, config: EventInvokeConfig | None) -> None:
        """Set what becomes of asynchronous invocations, or with None go back to the settings'."""
        self.event_config = config
        retries = config.retries if config else None
        age = config.maximum_event_age if config else None
        self._happened(
            EventsConfigured(
                self.settings.retries if retries is None else retries,
                self.settings.maximum_event_age if age is None else age,
            )
        )

    # The service calls these.

    def prewarm(self) -> None:
        """Start the environments that shall be there before they are needed."""
        self._happened(Prewarmed(self.settings.warm_environments))

    def pids(self) -> list[int]:
        """The first process of each environment."""
        return self._environments.pids()

    def stop(self) -> None:
        """Decide nothing any more, and refuse whoever still waits."""
        self._stopped = True
        self._environments.stop()
        if self._timer:
            self._timer.cancel()
        for invocation in self._invocations.values():
            if invocation.outcome and not invocation.outcome.done():
                invocation.outcome.set_result(api_error.service_error("the emulator is shutting down"))

    async def close(self) -> None:
        """Release what the environments, which have ended, leave behind."""
        await self._environments.close()
        self.log.close()

    # Environments call these.

    def polled(self, environment: Environment) -> None:
        """An environment is ready."""
        self._happened(Polled(environment.number))

    def answered(self, environment: Environment, document: bytes, function_error: str, failed: Failure | None) -> None:
        """An environment posted what its invocation led to."""
        if environment.invocation:
            environment.invocation.posted = (document, function_error)
            self._conclude(environment.invocation.id, None)
        self._happened(Answered(environment.number, failed))

    def undelivered(self, environment: Environment) -> None:
        """An environment never saw its invocation."""
        if environment.invocation:
            del self._running[environment.invocation.id]
            environment.invocation.attempts -= 1
            environment.invocation = None
        self._happened(Undelivered(environment.number))

    # What a request meets before the pool knows of it.

    def _fate(self) -> chaos.Fate:
        number = next(self._requests)
        fate = chaos.fate(self.settings.chaos, number, self.settings.deliveries)
        if fate.throttled:
            self._say(f"chaos throttles request {number}")
            raise api_error.rate_exceeded()
        return fate

    def _follow(self, request: Request, request_id: str) -> tuple[str, bool]:
        """The trace header of an invocation, and whether it is one too many in its chain."""
        header, visits = trace.follow(request.trace, self.arn)
        stopped = self.recursive_loop == "Terminate" and visits > trace.LONGEST_CHAIN
        if stopped:
            self._say(f"invocation {request_id} is the {visits}th of its chain and is stopped")
        return header, stopped

    # The pool's decisions.

    def _happened(self, event: Event) -> None:
        if self._stopped:
            return
        for instruction in self._pool.handle(event, self._loop.time()):
            self._carry_out(instruction)
        if self._timer:
            self._timer.cancel()
        wake = self._pool.wake
        self._timer = self._loop.call_at(wake, self._happened, Ticked()) if wake is not None else None

    def _carry_out(self, instruction: Instruction) -> None:
        match instruction:
            case Start(number):
                self._environments.start(number)
            case Kill(number):
                self._environments.kill(number)
            case Deliver(number, id_):
                self._deliver(self._environments[number], self._invocations[id_])
            case Throttle(id_):
                self._resolve(id_, api_error.throttled(reserved=self.reserved is not None))
            case Finish(id_, failed, too_old):
                self._finish(id_, failed, too_old)
            case Postpone(id_, seconds, failed):
                self._conclude(id_, failed)
                self._say(f"invocation {id_} failed and is tried again in {seconds:g} s: {failed.message}")
            case Expire(id_):
                age = self._pool.limits.maximum_event_age
                self._say(f"invocation {id_} did not begin in {age:g} s and is dropped")
                self._report(self._invocations.pop(id_), invocation_record.EVENT_AGE_EXCEEDED)

    def _deliver(self, environment: Environment, invocation: Invocation) -> None:
        self._running[invocation.id] = environment
        invocation.attempts += 1
        environment.deliver(invocation)
        seconds = chaos.lifetime(self.settings.chaos, next(self._deliveries))
        if seconds is not None:
            self._loop.call_later(seconds, self._end, environment, invocation)

    def _end(self, environment: Environment, invocation: Invocation) -> None:
        """End an environment by chaos, if it still works on that invocation."""
        if environment.invocation is invocation:
            self._say(f"chaos ends environment {environment.number} in invocation {invocation.id}")
            environment.kill()

    def _finish(self, id_: str, failed: Failure | None, too_old: bool) -> None:
        self._conclude(id_, failed)
        invocation = self._invocations[id_]
        if failed and failed.error_type == failure.SERVICE:
            self._say(f"invocation {id_} failed: {failed.message}")
            self._resolve(id_, api_error.service_error(failed.message))
        else:
            document, function_error = invocation.posted or (b"", "")
            self._resolve(id_, Answer(document, function_error, invocation.tail))
        if too_old:
            self._report(invocation, invocation_record.EVENT_AGE_EXCEEDED)
        elif failed or (invocation.posted and invocation.posted[1]):
            self._report(invocation, invocation_record.RETRIES_EXHAUSTED)
        else:
            self._report(invocation, invocation_record.SUCCESS)

    def _conclude(self, id_: str, failed: Failure | None) -> None:
        """The invocation runs no longer, if it did; `failed` unless its environment answered."""
        if environment := self._running.pop(id_, None):
            environment.conclude(failed)
        if failed and failed.error_type != failure.SERVICE:
            invocation = self._invocations[id_]
            invocation.posted = failed.describe(invocation.request_id), "Unhandled"

    def _resolve(self, id_: str, outcome: Answer | ApiError) -> None:
        waiting = self._invocations.pop(id_).outcome
        if waiting and not waiting.done():
            waiting.set_result(outcome)

    def _report(self, invocation: Invocation, condition: str) -> None:
        """Tell the destination for it, if there is one, how an asynchronous invocation ended."""
        config = self.event_config
        if config is None or invocation.outcome is not None:
            return
        target = config.on_success if condition == invocation_record.SUCCESS else config.on_failure
        if target is None:
            return
        try:
            self._queues.send(target, invocation_record.describe(invocation, condition, time.time()))
        except Undeliverable as error:
            self._say(f"the record of invocation {invocation.id} was not sent to its destination: {error}")

    def _say(self, line: str) -> None:
        self.log.append(0, [line.encode()])
