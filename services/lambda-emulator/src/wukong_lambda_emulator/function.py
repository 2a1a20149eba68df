"""One function: carries out what its pool decides, with environments from a provider."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from wukong_lambda_emulator import api_error, failure, function_name, trace
from wukong_lambda_emulator.api_error import ApiError
from wukong_lambda_emulator.environment import Environment
from wukong_lambda_emulator.environment_log import EnvironmentLog, FunctionLog
from wukong_lambda_emulator.events import (
    Answered,
    ConcurrencySet,
    Event,
    Exited,
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
from wukong_lambda_emulator.launch import Launch
from wukong_lambda_emulator.pool import Pool
from wukong_lambda_emulator.provider import Provider, ProviderUnavailable
from wukong_lambda_emulator.runtime_api import RuntimeApi


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller of the Invoke API sent."""

    payload: bytes
    asynchronous: bool
    client_context: str = ""
    trace: str = ""


class Function:
    """One function, its environments and its invocations."""

    def __init__(
        self, name: str, settings: FunctionSettings, provider: Provider, log: FunctionLog, region: str
    ) -> None:
        self.name = name
        self.settings = settings
        self.arn = function_name.arn(region, name)
        self.log = log
        #: Set by PutFunctionConcurrency.
        self.reserved: int | None = None
        self._region = region
        self._provider = provider
        self._pool = Pool(settings.limits)
        self._environments: dict[int, Environment] = {}
        self._invocations: dict[str, Invocation] = {}
        self._running: dict[str, Environment] = {}
        self._lives: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    # The Invoke API calls these.

    def submit(self, request: Request) -> Invocation:
        """Take an invocation. The `outcome` of a synchronous one becomes its answer, or the refusal.

        Raises:
            ApiError: The chain of invocations that led here is too long.
        """
        header, visits = trace.follow(request.trace, self.arn)
        id_ = str(uuid.uuid4())
        outcome = None if request.asynchronous else self._loop.create_future()
        invocation = Invocation(id_, request.payload, header, self.arn, request.client_context, outcome)
        if self.settings.recursive_loop == "Terminate" and visits > trace.LONGEST_CHAIN:
            self._say(f"invocation {id_} is the {visits}th of its chain and is stopped")
            if not request.asynchronous:
                raise api_error.recursive(self.name)
            return invocation
        self._invocations[id_] = invocation
        self._happened(Invoked(id_, request.asynchronous))
        return invocation

    def reserve(self, concurrency: int | None) -> None:
        """Set the reserved concurrency, or with None go back to the settings'."""
        self.reserved = concurrency
        self._happened(ConcurrencySet(self.settings.concurrency if concurrency is None else concurrency))

    # The service calls these.

    def prewarm(self) -> None:
        """Start the environments that shall be there before they are needed."""
        self._happened(Prewarmed(self.settings.warm_environments))

    def pids(self) -> list[int]:
        """The first process of each environment."""
        return [known.sandbox.pid for known in self._environments.values() if known.sandbox]

    def stop(self) -> None:
        """Decide nothing any more, and refuse whoever still waits."""
        self._stopped = True
        if self._timer:
            self._timer.cancel()
        for invocation in self._invocations.values():
            if invocation.outcome and not invocation.outcome.done():
                invocation.outcome.set_result(api_error.service_error("the emulator is shutting down"))

    async def close(self) -> None:
        """Release what the environments, which have ended, leave behind."""
        for life in self._lives:
            life.cancel()
        await asyncio.gather(*self._lives, return_exceptions=True)
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
            environment.invocation = None
        self._happened(Undelivered(environment.number))

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
                self._start(number)
            case Kill(number):
                if environment := self._environments.get(number):
                    environment.kill()
            case Deliver(number, id_):
                self._running[id_] = self._environments[number]
                self._environments[number].deliver(self._invocations[id_])
            case Throttle(id_):
                self._resolve(id_, api_error.throttled(reserved=self.reserved is not None))
            case Finish(id_, failed):
                self._finish(id_, failed)
            case Postpone(id_, seconds, failed):
                self._conclude(id_, failed)
                self._say(f"invocation {id_} failed and is tried again in {seconds:g} s: {failed.message}")
            case Expire(id_):
                del self._invocations[id_]
                self._say(f"invocation {id_} did not begin in {self.settings.maximum_event_age:g} s and is dropped")

    def _finish(self, id_: str, failed: Failure | None) -> None:
        self._conclude(id_, failed)
        invocation = self._invocations[id_]
        if failed is None:
            document, function_error = invocation.posted
            self._resolve(id_, Answer(document, function_error, invocation.tail))
        elif failed.error_type == failure.SERVICE:
            self._say(f"invocation {id_} failed: {failed.message}")
            self._resolve(id_, api_error.service_error(failed.message))
        else:
            self._resolve(id_, Answer(failed.describe(id_), "Unhandled", invocation.tail))

    def _conclude(self, id_: str, failed: Failure | None) -> None:
        """The invocation runs no longer, if it did."""
        if environment := self._running.pop(id_, None):
            environment.conclude(failed)

    def _resolve(self, id_: str, outcome: Answer | ApiError) -> None:
        waiting = self._invocations.pop(id_).outcome
        if waiting and not waiting.done():
            waiting.set_result(outcome)

    def _say(self, line: str) -> None:
        self.log.append(0, [line.encode()])

    # The life of an environment.

    def _start(self, number: int) -> None:
        log = EnvironmentLog(number, self.log)
        environment = Environment(number, self, log, self.settings.timeout, self.settings.memory_mb)
        self._environments[number] = environment
        life = self._loop.create_task(self._live(environment))
        self._lives.add(life)
        life.add_done_callback(self._lives.discard)

    async def _live(self, environment: Environment) -> None:
        number, log, api = environment.number, environment.log, RuntimeApi(environment)
        try:
            try:
                log.open()
                self._loop.add_reader(log.fileno(), self._printed, log)
                ended = await self._run(environment, api)
            except OSError as error:
                trouble = failure.unavailable(f"the emulator cannot prepare an environment: {error}")
                ended = Exited(number, trouble, unavailable=True)
            self._happened(ended)
        finally:
            if log.fileno() >= 0:
                self._loop.remove_reader(log.fileno())
            del self._environments[number]
            environment.close()
            await api.close()

    async def _run(self, environment: Environment, api: RuntimeApi) -> Exited:
        """Start the environment and wait for its end."""
        number, log = environment.number, environment.log
        launch = Launch(
            self.settings.handler,
            self._variables(number, await api.listen()),
            self.settings.directory,
            self.settings.memory_mb * 2**20,
        )
        try:
            sandbox = await self._provider.start(launch, log.writing)
        except ProviderUnavailable as error:
            return Exited(number, failure.unavailable(str(error)), unavailable=True)
        finally:
            log.close_writing()
        environment.started(sandbox)
        end = await sandbox.exited
        log.drain()
        if end.trouble:
            return Exited(number, failure.unavailable(end.trouble), unavailable=True)
        if end.out_of_memory:
            used, limit = sandbox.used_bytes() / 2**20, self.settings.memory_mb
            log.write(f"The environment was ended because it held {used:.0f} MB, above its memory_mb of {limit}")
        cause = environment.init_failure or failure.exited(end.status, out_of_memory=end.out_of_memory)
        return Exited(number, cause)

    def _printed(self, log: EnvironmentLog) -> None:
        if not log.drain():
            self._loop.remove_reader(log.fileno())

    def _variables(self, number: int, runtime_api: str) -> Mapping[str, str]:
        settings = self.settings
        variables = {
            "AWS_REGION": self._region,
            "AWS_DEFAULT_REGION": self._region,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "LAMBDA_TASK_ROOT": settings.directory,
            "TZ": ":UTC",
            **settings.environment,
            "_HANDLER": settings.handler,
            "AWS_LAMBDA_RUNTIME_API": runtime_api,
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": function_name.LATEST,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(settings.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": str(number),
        }
        return {name: value for name, value in variables.items() if value}
