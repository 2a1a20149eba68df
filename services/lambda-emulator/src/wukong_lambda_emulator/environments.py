"""The environments of one function, from their start to their end."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable, Mapping

from wukong import settings
from wukong_lambda_emulator import failure, function_name
from wukong_lambda_emulator.environment import Environment, Owner
from wukong_lambda_emulator.environment_log import EnvironmentLog, FunctionLog
from wukong_lambda_emulator.events import Exited
from wukong_lambda_emulator.function_settings import FunctionSettings
from wukong_lambda_emulator.launch import Launch
from wukong_lambda_emulator.provider import Provider, ProviderUnavailable
from wukong_lambda_emulator.relay_process import RelayProcess
from wukong_lambda_emulator.runtime_api import RuntimeApi


class Environments:
    """Starts environments with a provider and follows each until it has ended."""

    def __init__(
        self,
        name: str,
        function: FunctionSettings,
        provider: Provider,
        log: FunctionLog,
        region: str,
        owner: Owner,
        exited: Callable[[Exited], None],
        relay: RelayProcess | None,
    ) -> None:
        """`owner` is told what each environment does, and `exited` is called when one has ended.

        Where there is a `relay`, the way to the stores leads through it.
        """
        self._name = name
        self._settings = function
        self._provider = provider
        self._log = log
        self._region = region
        self._owner = owner
        self._exited = exited
        self._relay = relay
        self._running: dict[int, Environment] = {}
        self._lives: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    def __getitem__(self, number: int) -> Environment:
        return self._running[number]

    def pids(self) -> list[int]:
        """The first process of each environment."""
        return [known.sandbox.pid for known in self._running.values() if known.sandbox]

    def start(self, number: int) -> None:
        """Start an environment under a new number."""
        log = EnvironmentLog(number, self._log)
        environment = Environment(number, self._owner, log, self._settings.timeout, self._settings.memory_mb)
        self._running[number] = environment
        life = self._loop.create_task(self._live(environment))
        self._lives.add(life)
        life.add_done_callback(self._lives.discard)

    def kill(self, number: int) -> None:
        """End an environment, unless it has ended."""
        if environment := self._running.get(number):
            environment.kill()

    def stop(self) -> None:
        """Start none of those any more that are still to be started."""
        for environment in self._running.values():
            if environment.sandbox is None:
                environment.kill()

    async def close(self) -> None:
        """Release what the environments, which have ended, leave behind."""
        for life in self._lives:
            life.cancel()
        await asyncio.gather(*self._lives, return_exceptions=True)

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
            self._exited(ended)
        finally:
            if log.fileno() >= 0:
                self._loop.remove_reader(log.fileno())
            del self._running[number]
            environment.close()
            await api.close()
            if self._relay:
                await self._relay.drop(self._network_name(number))

    async def _run(self, environment: Environment, api: RuntimeApi) -> Exited:
        """Start the environment and wait for its end."""
        number, log = environment.number, environment.log
        try:
            launch = Launch(
                self._settings.handler,
                {**self._variables(number, await api.listen(self._provider.host)), **await self._stores(number)},
                self._settings.directory,
                self._settings.memory_mb * 2**20,
                self._settings.image,
                self._settings.tmp_mb * 2**20,
                self._settings.volumes,
            )
            await asyncio.sleep(self._settings.cold_start_seconds)
            if environment.killed:
                return Exited(number, failure.exited(-signal.SIGKILL))
            sandbox = await self._provider.start(launch, log.writing)
        except ProviderUnavailable as error:
            return Exited(number, failure.unavailable(str(error)), unavailable=True)
        finally:
            log.close_writing()
        api.admit(sandbox.address)
        environment.started(sandbox)
        end = await sandbox.exited
        log.drain()
        if end.trouble:
            return Exited(number, failure.unavailable(end.trouble), unavailable=True)
        if end.out_of_memory:
            used, limit = sandbox.used_bytes() / 2**20, self._settings.memory_mb
            log.write(f"The environment was ended because it held {used:.0f} MB, above its memory_mb of {limit}")
        cause = environment.init_failure or failure.exited(end.status, out_of_memory=end.out_of_memory)
        return Exited(number, cause)

    async def _stores(self, number: int) -> dict[str, str]:
        """The variable that says where the stores are for this environment, where that is not where they are."""
        if self._relay is None or not self._settings.network:
            return {}
        addresses = await self._relay.open(self._network_name(number), self._settings.network)
        return {settings.STORE_ADDRESSES.name: json.dumps(addresses)}

    def _network_name(self, number: int) -> str:
        return f"{self._name} {number}"

    def _printed(self, log: EnvironmentLog) -> None:
        if not log.drain():
            self._loop.remove_reader(log.fileno())

    def _variables(self, number: int, runtime_api: str) -> Mapping[str, str]:
        known = self._settings
        variables = {
            "AWS_REGION": self._region,
            "AWS_DEFAULT_REGION": self._region,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "LAMBDA_TASK_ROOT": known.directory,
            "TZ": ":UTC",
            **known.environment,
            "_HANDLER": known.handler,
            "AWS_LAMBDA_RUNTIME_API": runtime_api,
            "AWS_LAMBDA_FUNCTION_NAME": self._name,
            "AWS_LAMBDA_FUNCTION_VERSION": function_name.LATEST,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(known.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self._name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": str(number),
        }
        return {name: value for name, value in variables.items() if value}
