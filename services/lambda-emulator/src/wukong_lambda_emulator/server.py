"""The emulator as a service: functions from the environment's variables, served until it is closed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from aiohttp import web

from wukong import settings
from wukong_lambda_emulator import function_settings
from wukong_lambda_emulator.environment_log import FunctionLog
from wukong_lambda_emulator.event_invoke_config import EventInvokeConfig
from wukong_lambda_emulator.function import Function
from wukong_lambda_emulator.function_settings import FunctionSettings
from wukong_lambda_emulator.invoke_api import InvokeApi
from wukong_lambda_emulator.provider import Provider
from wukong_lambda_emulator.queues import Queues
from wukong_lambda_emulator.relay_process import RelayProcess
from wukong_lambda_emulator.sqs_api import url
from wukong_lambda_emulator.sqs_queue import Queue
from wukong_lambda_emulator.zygote_provider import ZygoteProvider


class Service:
    """A running emulator."""

    def __init__(
        self,
        address: str,
        runner: web.AppRunner,
        providers: Sequence[Provider],
        functions: Mapping[str, Function],
        queues: Queues,
        relay: RelayProcess | None,
    ) -> None:
        #: host:port of the Invoke API, and of the queues.
        self.address = address
        self._runner = runner
        self._providers = providers
        self._functions = functions
        self._queues = queues
        self._relay = relay

    def logs(self, function: str) -> str:
        """The newest MiB of what a function's environments printed, each line marked with its environment."""
        return self._functions[function].log.text()

    def pids(self) -> list[int]:
        """The first process of each environment that runs now."""
        return [pid for function in self._functions.values() for pid in function.pids()]

    def relays(self) -> list[int]:
        """The process that slows down the way to the stores, where one is asked for."""
        return [] if self._relay is None else [self._relay.pid]

    def queue_url(self, name: str) -> str:
        """The URL of a queue."""
        return url(f"http://{self.address}", name)

    async def close(self) -> None:
        """Refuse whoever waits, end every environment and stop listening."""
        for function in self._functions.values():
            function.stop()
        self._queues.close()
        await asyncio.gather(*(provider.close() for provider in self._providers))
        await asyncio.gather(*(function.close() for function in self._functions.values()))
        if self._relay is not None:
            await self._relay.close()
        await self._runner.cleanup()


async def serve(environ: Mapping[str, str]) -> Service:
    """Start an emulator in the running loop; it accepts requests when this returns.

    Reads WUKONG_FUNCTIONS, WUKONG_LISTEN, WUKONG_LOG_DIR and AWS_REGION; for functions that are processes
    WUKONG_ZYGOTE_SOCKET, and for those that are containers WUKONG_DOCKER_NETWORK, WUKONG_DOCKER_PROJECT and
    WUKONG_RUNTIME_API_HOST. Environments that shall be warm start in the background; the zygote may come up later than
    the emulator.

    Raises:
        InvalidSetting: A variable is missing, or not what it must be.
        ProviderUnavailable: Functions have images, and there is no Docker engine to run them.
        ValueError: WUKONG_FUNCTIONS is not what `function_settings` describes.
        OSError: The port is in use.
    """
    described = function_settings.parse(settings.FUNCTIONS.get(environ))
    folder = Path(text) if (text := settings.LOG_DIR.get(environ)) else None
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    host, _, port = settings.LISTEN.get(environ).rpartition(":")

    providers = await _providers(described.values(), environ)
    queues = Queues(region)
    relay = RelayProcess() if any(entry.network for entry in described.values()) else None
    functions = {
        name: Function(name, entry, providers[bool(entry.image)], FunctionLog(name, folder), region, queues, relay)
        for name, entry in described.items()
    }
    runner = web.AppRunner(
        InvokeApi(functions, queues, region).application(),
        access_log=None,
        keepalive_timeout=3600.0,
        shutdown_timeout=1.0,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host.strip("[]"), int(port), backlog=1024)
        await site.start()
    except BaseException:
        await asyncio.gather(*(provider.close() for provider in providers.values()))
        if relay is not None:
            await relay.close()
        await runner.cleanup()
        raise
    bound = runner.addresses[0]
    service = Service(f"{bound[0]}:{bound[1]}", runner, list(providers.values()), functions, queues, relay)
    for function in functions.values():
        if queue := function.settings.on_failure:
            if queue not in queues:
                queues.add(Queue(queue, time.time()))
            function.configure_events(EventInvokeConfig(on_failure=queues.arn(queue), modified=time.time()))
        function.prewarm()
    return service


async def _providers(functions: Iterable[FunctionSettings], environ: Mapping[str, str]) -> dict[bool, Provider]:
    """Who starts environments of functions with an image, and of those without, as far as there are any."""
    providers: dict[bool, Provider] = {}
    kinds = {bool(function.image) for function in functions}
    if False in kinds:
        providers[False] = ZygoteProvider(settings.ZYGOTE_SOCKET.get(environ))
    if True in kinds:
        # Imported here: nobody needs the SDK where environments are processes.
        from wukong_lambda_emulator.docker_provider import DockerProvider

        providers[True] = await DockerProvider.connect(environ)
    return providers
