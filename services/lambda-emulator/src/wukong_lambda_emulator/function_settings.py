"""What an operator says about each function: the JSON in `WUKONG_FUNCTIONS`.

{"wukong-executor": {"handler": "wukong_executor.handler.handle", "memory_mb": 2048, "timeout": 900,
                     "concurrency": 2, "environment": {"WUKONG_MDS_ADDRESS": "127.0.0.1:6379"}}}
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from wukong_lambda_emulator import chaos
from wukong_lambda_emulator.chaos import Chaos
from wukong_lambda_emulator.limits import Limits
from wukong_lambda_emulator.store_network import StoreNetwork

# Up to this many environments are started ahead of the first invocation when nothing else is said.
WARM_BY_DEFAULT = 8

# Lambda gives an initialisation ten seconds. Here it includes the zygote's own, so there are more.
START_SECONDS = 60.0

#: Lambda's least. With less an executor may end before it can run a task, which is told after minutes only.
LEAST_MEMORY_MB = 128

#: What `recursive_loop` may be, as AWS has it.
RECURSIVE_LOOPS = ("Allow", "Terminate")


@dataclass(frozen=True, slots=True)
class FunctionSettings:
    """One function."""

    #: `package.module.function`.
    handler: str
    #: An environment that holds more is ended.
    memory_mb: int = 2048
    #: Seconds that one invocation may run.
    timeout: float = 900.0
    #: Invocations, and environments, at once. Asynchronous ones beyond wait, synchronous ones are throttled.
    concurrency: int = 2
    #: Environments without work for so many seconds are ended.
    idle_seconds: float = 600.0
    #: Environments started together with the emulator; -1 for `concurrency`, but at most 8.
    warm: int = -1
    #: Environment variables.
    environment: Mapping[str, str] = field(default_factory=dict)
    #: Working directory, and first on the module search path; empty for the zygote's.
    directory: str = ""
    #: How often a failed asynchronous invocation is tried again (AWS's default is 2).
    retries: int = 0
    #: Seconds until the first retry; they double with each further one.
    retry_seconds: float = 60.0
    #: Seconds after which an asynchronous invocation that did not begin is dropped.
    maximum_event_age: float = 300.0
    #: `Terminate` cuts chains of invocations after 16, as AWS does by default; `Allow` does not.
    recursive_loop: str = "Allow"
    #: A queue that the emulator makes, and the destination of failed asynchronous invocations; empty for none.
    on_failure: str = ""
    #: How often each asynchronous invocation is delivered; Lambda promises "at least once", so 2 is a fair test.
    deliveries: int = 1
    #: Seconds that a request to invoke takes on its way to the function, as from a laptop to AWS or within a region.
    invoke_seconds: float = 0.0
    #: Seconds that an environment takes to start, on top of its own.
    cold_start_seconds: float = 0.0
    #: "host:port" of each Redis that the function's code reaches; see the next two.
    stores: Sequence[str] = ()
    #: Seconds that each round trip to these takes longer.
    store_seconds: float = 0.0
    #: Millions of bytes per second that fit through an environment's network to these, each way; 0 for no limit.
    store_mb_per_second: float = 0.0
    #: The container image of its environments; empty for processes.
    image: str = ""
    #: MB that the /tmp of a container holds.
    tmp_mb: int = 512
    #: Volumes of a container by the folder at which each is seen there.
    volumes: Mapping[str, str] = field(default_factory=dict)
    #: Faults from a seed.
    chaos: Chaos = field(default_factory=Chaos)

    @property
    def limits(self) -> Limits:
        """What the pool needs of it."""
        return Limits(
            concurrency=self.concurrency,
            timeout=self.timeout,
            start_timeout=max(START_SECONDS, self.timeout) + self.cold_start_seconds,
            idle_seconds=self.idle_seconds,
            retries=self.retries,
            retry_seconds=self.retry_seconds,
            maximum_event_age=self.maximum_event_age,
        )

    @property
    def network(self) -> StoreNetwork:
        """The way to the stores."""
        return StoreNetwork(self.stores, self.store_seconds, self.store_mb_per_second)

    @property
    def warm_environments(self) -> int:
        """How many to start ahead."""
        return min(self.concurrency, WARM_BY_DEFAULT) if self.warm < 0 else self.warm


def parse(text: str) -> dict[str, FunctionSettings]:
    """The functions in a JSON text.

    Raises:
        ValueError: It is not such a text; the message names function and setting.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ValueError(f"WUKONG_FUNCTIONS is not JSON: {error}") from error
    if not isinstance(document, dict) or not all(isinstance(entry, dict) for entry in document.values()):
        raise ValueError("WUKONG_FUNCTIONS must be a JSON object that maps names to objects with their settings")
    return {name: _function(name, entry) for name, entry in document.items()}


_KINDS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "Mapping[str, str]": (dict,),
    "Sequence[str]": (list,),
    "Chaos": (dict,),
}


def _function(name: str, entry: dict[str, Any]) -> FunctionSettings:
    known = {setting.name: _KINDS[str(setting.type)] for setting in fields(FunctionSettings)}
    if "handler" not in entry:
        raise ValueError(f"function {name!r} in WUKONG_FUNCTIONS has no handler")
    for key, value in entry.items():
        if key not in known:
            raise ValueError(f"function {name!r} has an unknown setting {key!r}; known are {', '.join(known)}")
        if not isinstance(value, known[key]) or isinstance(value, bool):
            raise ValueError(f"setting {key!r} of function {name!r} cannot be {value!r}")
        if isinstance(value, (int, float)) and not (-1 if key == "warm" else 0) <= value < math.inf:
            raise ValueError(f"setting {key!r} of function {name!r} is negative or no finite number: {value}")
    try:
        settings = FunctionSettings(**{**entry, "chaos": chaos.parse(entry.get("chaos", {}))})
    except ValueError as error:
        raise ValueError(f"function {name!r}: {error}") from error
    if not all(isinstance(value, str) for value in settings.environment.values()):
        raise ValueError(f"the environment of function {name!r} has a value that is not a string")
    for store in settings.stores:
        if not isinstance(store, str) or not store.rpartition(":")[0] or not store.rpartition(":")[2].isdecimal():
            raise ValueError(f"stores of function {name!r} has {store!r}, which is not of the form host:port")
    if "." not in settings.handler:
        raise ValueError(f"handler {settings.handler!r} of function {name!r} is not of the form module.function")
    for folder, volume in settings.volumes.items():
        if not isinstance(volume, str) or not volume or not folder.startswith("/"):
            raise ValueError(
                f"volumes of function {name!r} has {folder!r}: {volume!r}, not a folder and a volume's name"
            )
    if not settings.image and settings.volumes:
        raise ValueError(f"function {name!r} has volumes and no image: only containers can have them")
    if settings.image and settings.network:
        raise ValueError(f"function {name!r} has an image and a slow way to the stores; only processes can have that")
    if not settings.timeout:
        raise ValueError(f"timeout of function {name!r} must be above 0")
    if settings.memory_mb < LEAST_MEMORY_MB:
        raise ValueError(
            f"memory_mb of function {name!r} is {settings.memory_mb}, and must be {LEAST_MEMORY_MB} or more, as on "
            "Lambda"
        )
    if not settings.deliveries:
        raise ValueError(f"deliveries of function {name!r} must be above 0")
    if settings.recursive_loop not in RECURSIVE_LOOPS:
        raise ValueError(f"recursive_loop of function {name!r} must be Allow or Terminate")
    return settings
