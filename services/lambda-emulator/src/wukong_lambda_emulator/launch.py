"""What a provider is told to start, and the wire form in which the zygote is told it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Launch:
    """One environment to start."""

    #: `package.module.function`, as Lambda names handlers.
    handler: str
    #: Environment variables, on top of those of whoever starts the environment.
    variables: Mapping[str, str]
    #: Working directory, also first on the module search path; empty for the starter's own.
    directory: str
    #: The environment is ended when its processes together hold more.
    memory_bytes: int
    #: The container image that it is made of; empty where it is a process.
    image: str = ""
    #: Bytes that its /tmp may hold, where it has one of its own.
    tmp_bytes: int = 0
    #: Volumes of the container, by the folder at which each is seen; it cannot write to them.
    volumes: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """One line."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Launch:
        """The launch in a line from `encode`."""
        return cls(**json.loads(line))
